"""A page is for everybody: no rule of WCAG 2.2 AA broken that axe knows, nothing pushed sideways, in any light."""

from typing import Literal

import msgspec
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize

# What most rules of WCAG 2.2 AA come down to; best practices as well.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
_UNFOLD = "for (const each of document.querySelectorAll('details')) each.open = true"
_RUN = """async options => (await axe.run(document, options)).violations.map(
    each => each.id + ": " + each.nodes[0].html)"""
# 1280 pixels at 400%, and what most phones and desks have.
_REFLOW: ViewportSize = {"width": 320, "height": 740}
SIZES: tuple[ViewportSize, ...] = ({"width": 360, "height": 740}, {"width": 1280, "height": 800})


class Look(msgspec.Struct, frozen=True):
    """One way to see a page: `size` is a place in SIZES."""

    size: int
    scheme: Literal["light", "dark"]


# Each page in two, so that both languages together make all four.
LOOKS = {"id": (Look(0, "light"), Look(1, "dark")), "en": (Look(1, "light"), Look(0, "dark"))}


async def barriers(page: Page) -> list[str]:
    """What stands in somebody's way on this page, as it is shown now."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(Axe().axe_script)
    found: list[str] = await page.evaluate(_RUN, {"runOnly": _RULES, "resultTypes": ["violations"]})
    if not await page.evaluate(_FITS):
        found.append(f"has to be pushed sideways at {page.viewport_size}")
    return found


async def barriers_in_looks(page: Page, language: Literal["id", "en"]) -> list[str]:
    """The same in this language's looks, with all that is folded open; and that it reflows."""
    await page.evaluate(_UNFOLD)
    found = []
    for look in LOOKS[language]:
        await page.set_viewport_size(SIZES[look.size])
        # Without motion: halfway between two lights, colours have no contrast.
        await page.emulate_media(color_scheme=look.scheme, reduced_motion="reduce")
        found += [f"{look.scheme} {SIZES[look.size]['width']}: {each}" for each in await barriers(page)]
    await page.set_viewport_size(_REFLOW)
    if not await page.evaluate(_FITS):
        found.append("does not reflow into 320 pixels")
    return found

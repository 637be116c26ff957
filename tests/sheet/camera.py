"""Photographs pages into a folder, and remembers what was wrong on the way."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from playwright.async_api import Browser, ConsoleMessage, Page, Request
from playwright.async_api import Error as PlaywrightError

from app.texts import Language

# `paper`: what is left of A4 between its margins. `narrow`: a desk at 400%, and what WCAG wants pages to reflow into.
SIZES = {"narrow": (320, 640), "phone": (375, 812), "tablet": (820, 1180), "desk": (1366, 860), "paper": (703, 1000)}
Scheme = Literal["light", "dark"]
_LONGEST = 4_000
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_.-]")
# Nothing has to be pushed sideways, no table is cut off at its card's edge, no word at its button's.
_FITS = """document.documentElement.scrollWidth <= document.documentElement.clientWidth
    && [...document.querySelectorAll(".table")].every(each => each.firstElementChild.offsetWidth <= each.clientWidth)
    && [...document.querySelectorAll("button, .badge, .tile")].every(each => each.scrollWidth <= each.clientWidth + 1)
"""


class Look(msgspec.Struct, frozen=True):
    """One way to look at a page."""

    language: Language
    size: str
    scheme: Scheme = "light"
    is_print: bool = False

    @property
    def name(self) -> str:
        return f"{self.language}-{self.size}-{'print' if self.is_print else self.scheme}"


FEW = (
    Look("id", "desk"),
    Look("en", "phone", "dark"),
    Look("id", "tablet"),
    Look("en", "narrow"),
    Look("id", "paper", is_print=True),
)


def every_look() -> Iterator[Look]:
    for language in ("id", "en"):
        for size in SIZES:
            if size == "paper":
                yield Look(language, size, is_print=True)
            else:
                yield Look(language, size, "light")
                yield Look(language, size, "dark")


class Camera:
    """`shots`: words and the name of a file; `faults`: what a browser complained of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.shots: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self._may_refuse = False

    async def page(self, chromium: Browser, look: Look, cookie: str) -> Page:
        """A new browser's first page, with its officer's cookie; close its context after use."""
        width, height = SIZES[look.size]
        context = await chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=look.scheme, locale=look.language
        )
        name, _, value = cookie.partition("=")
        if value:
            kept = {"name": name, "value": value, "domain": "localhost", "path": "/", "secure": True}
            await context.add_cookies([kept])  # type: ignore[list-item] # a cookie
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("request", self._watched)
        if look.is_print:
            await page.emulate_media(media="print")
        return page

    def may_refuse(self, *, is_so: bool) -> None:
        """A browser notes on its console what is refused."""
        self._may_refuse = is_so

    async def open(self, page: Page, address: str) -> bool:
        """Whether it is a page at all."""
        self._may_refuse = False
        try:
            answer = await page.goto(address)
        except PlaywrightError as error:
            if "Download is starting" in error.message:
                return False
            raise
        assert answer is not None
        is_page = "text/html" in answer.headers.get("content-type", "")
        if answer.status not in (200, 304):
            self.faults.append(f"{address} answered {answer.status}")
        return is_page

    async def shoot(self, page: Page, words: str, way: str) -> None:
        """The whole page as it stands, under a name of its own."""
        if not await page.evaluate(_FITS):
            self.faults.append(f"{way} {words} is wider than it may be")
        name = f"{_NOT_IN_NAMES.sub('', words.strip('/').replace('/', '.'))}-{way}.png"
        height = min(_LONGEST, int(await page.evaluate("document.documentElement.scrollHeight")))
        size = page.viewport_size or {"width": 800, "height": 600}
        clip: Any = {"x": 0, "y": 0, "width": size["width"], "height": max(height, size["height"])}
        await page.screenshot(path=self._folder / name, full_page=True, clip=clip)
        self.shots.append((f"{words} · {way}", name))

    def _heard(self, said: ConsoleMessage) -> None:
        refused = self._may_refuse and said.text.startswith("Failed to load resource")
        if said.type == "error" and not refused:
            self.faults.append(f"{said.location.get('url')}: {said.text}")

    def _watched(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in ("localhost", None):
            self.faults.append(f"a request left the machine: {request.url}")

"""`make contact-sheet`: every page of officers photographed for each role, in languages, sizes and lights."""

import asyncio
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import click
import msgspec
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page
from playwright.async_api import Error as PlaywrightError

from app.discovery import route_handlers
from app.login.guards import Role
from app.texts import Language
from tests.harness.browser import browser
from tests.harness.officers import Officers
from tests.harness.product import Api
from tests.sheet.ground import ROLES, AtPages, fill, ground, log_in

# `paper`: what is left of A4 between its margins.
SIZES = {"phone": (375, 812), "tablet": (820, 1180), "desk": (1366, 860), "paper": (703, 1000)}
Scheme = Literal["light", "dark"]
_LONGEST = 4_000
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_.-]")
# What leads to a page's path parameters: the first link of this kind on that page.
_EXAMPLES = {
    "case_id": ("/dashboard/cases", "/dashboard/cases/"),
    "delivery_id": ("/dashboard/desk", "/dashboard/desk/"),
    "backend": ("/dashboard/systems", "/dashboard/systems/"),
    "slug": ("/dashboard/city/services", "/dashboard/city/services/"),
}
# Pages before login, those that refuse, and the contract's.
_BEFORE = ("/dashboard/login", "/dashboard/enrolment", "/oauth/authorize?client_id=nobody", "/docs", "/docs/errors")
_REFUSING = ("/dashboard/cases?status=none-such", f"/dashboard/cases/{UUID(int=7)}", "/dashboard/views/drop")
# Nothing has to be pushed sideways, and no table is cut off at its card's edge.
_FITS = """document.documentElement.scrollWidth <= document.documentElement.clientWidth
    && [...document.querySelectorAll(".table")].every(each => each.firstElementChild.offsetWidth <= each.clientWidth)"""
_PAGE = """<!doctype html><meta charset=utf-8><title>Satu Loket: contact sheet</title><style>
body{{font:15px/1.4 system-ui;margin:2rem;background:#888;color:#fff}}
figure{{display:inline-block;margin:0 1rem 1.5rem 0;vertical-align:top}}
img{{max-height:520px;max-width:420px;display:block;border-radius:6px}}</style>{shots}"""
_SHOT = """<figure><a href="{name}"><img src="{name}" loading="lazy" alt=""></a>
<figcaption>{words}</figcaption></figure>"""


class Look(msgspec.Struct, frozen=True):
    """One way to look at a page."""

    language: Language
    size: str
    scheme: Scheme = "light"
    is_print: bool = False

    @property
    def name(self) -> str:
        return f"{self.language}-{self.size}-{'print' if self.is_print else self.scheme}"


FEW = (Look("id", "desk"), Look("en", "phone", "dark"), Look("id", "tablet"), Look("id", "paper", is_print=True))


def every_look() -> Iterator[Look]:
    for language in ("id", "en"):
        for size in SIZES:
            if size == "paper":
                yield Look(language, size, is_print=True)
            else:
                yield Look(language, size, "light")
                yield Look(language, size, "dark")


class Sheet:
    """Photographs into a folder, and remembers what was wrong on the way."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder
        self.shots: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self._may_refuse = False

    async def take(self, chromium: Browser, officer: AtPages, look: Look) -> None:
        """Every page that this officer may open, and some that refuse."""
        context = await self._context(chromium, officer, look)
        pages = [(path, 200) for path in paths(officer.role)] if officer.role else [(path, 0) for path in _BEFORE]
        if officer.role == "operator":
            pages += [(path, 0) for path in _REFUSING]
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("request", self._watched)
        if look.is_print:
            await page.emulate_media(media="print")
        for path, status in pages:
            self._may_refuse = status == 0
            await self._shoot(page, path, f"{officer.name}-{look.name}", status)
        await context.close()

    async def _shoot(self, page: Page, path: str, way: str, status: int) -> None:
        address = await self._address(page, path)
        if not address:
            return
        try:
            answer = await page.goto(f"{self._api.url}{address}")
        except PlaywrightError as error:
            if "Download is starting" in error.message:
                return
            raise
        if (
            answer is None
            or answer.status not in (status or answer.status, 304)
            or "text/html" not in answer.headers.get("content-type", "")
        ):
            return
        if not await page.evaluate(_FITS):
            self.faults.append(f"{way} {address} is wider than it may be")
        name = f"{_NOT_IN_NAMES.sub('', path.strip('/').replace('/', '.'))}-{way}.png"
        height = min(_LONGEST, int(await page.evaluate("document.documentElement.scrollHeight")))
        size = page.viewport_size or {"width": 800, "height": 600}
        clip: Any = {"x": 0, "y": 0, "width": size["width"], "height": max(height, size["height"])}
        await page.screenshot(path=self._folder / name, full_page=True, clip=clip)
        self.shots.append((f"{path} · {way}", name))

    async def _address(self, page: Page, path: str) -> str:
        """The path with an example in the place of its parameter; "" where there is none."""
        if "{" not in path:
            return path
        parameter = path.partition("{")[2].partition(":")[0]
        if parameter not in _EXAMPLES or path.count("{") > 1:
            return ""
        lists, prefix = _EXAMPLES[parameter]
        await page.goto(f"{self._api.url}{lists}")
        link = page.locator(f"tbody a[href^='{prefix}']").first
        found = await link.get_attribute("href") if await link.count() else None
        return path.partition("{")[0] + found.removeprefix(prefix) + path.partition("}")[2] if found else ""

    async def _context(self, chromium: Browser, officer: AtPages, look: Look) -> BrowserContext:
        width, height = SIZES[look.size]
        context = await chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=look.scheme, locale=look.language
        )
        name, _, value = officer.cookie.partition("=")
        if value:
            await context.add_cookies(
                [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "secure": True}]
            )
        return context

    def _heard(self, said: ConsoleMessage) -> None:
        refused = self._may_refuse and said.text.startswith("Failed to load resource")
        if said.type == "error" and not refused:
            self.faults.append(f"{said.location.get('url')}: {said.text}")

    def _watched(self, request: Any) -> None:
        if not request.url.startswith((self._api.url, "data:", "blob:")):
            self.faults.append(f"a request left the machine: {request.url}")


def paths(role: Role | None) -> list[str]:
    """Of every page that this role may read."""
    pages = (
        each for each in route_handlers() if each.opt.get("permission") == "officer_page" and role in each.opt["roles"]
    )
    return sorted(path for each in pages for path in each.paths if "GET" in each.http_methods)


async def photograph(folder: Path, cases: int, looks: tuple[Look, ...], api: Api) -> Sheet:
    sheet = Sheet(api, folder)
    await fill(api, cases)
    async with Officers(api) as officers, browser() as chromium:
        for role, agency in ROLES:
            for look in looks:
                await sheet.take(chromium, await log_in(officers, role, agency, look.language), look)
        for look in looks:
            await sheet.take(chromium, AtPages("visitor", None, ""), look)
    return sheet


@click.command()
@click.option("--folder", default=".contact-sheet", show_default=True, type=click.Path(path_type=Path))
@click.option("--cases", default=3_000, show_default=True, help="Of the history behind the pages.")
@click.option("--all", "is_all", is_flag=True, help="Every language, size and light for each role and page.")
def main(folder: Path, cases: int, is_all: bool) -> None:
    """Photograph every page; what a browser complains of is told at the end, and is a failure."""
    folder.mkdir(parents=True, exist_ok=True)
    with ground() as api:
        sheet = asyncio.run(photograph(folder, cases, tuple(every_look()) if is_all else FEW, api))
    shots = "".join(_SHOT.format(name=name, words=html.escape(words)) for words, name in sorted(sheet.shots))
    (folder / "index.html").write_text(_PAGE.format(shots=shots), "utf-8")
    click.echo(f"{len(sheet.shots)} photographs: {folder / 'index.html'}")
    raise SystemExit("\n".join(sorted(set(sheet.faults))) if sheet.faults else 0)


if __name__ == "__main__":
    main()

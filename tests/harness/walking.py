"""An officer at a browser: opens pages, sends every form, and remembers which routes and templates that came to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.handlers import HTTPRouteHandler
from playwright.async_api import ConsoleMessage, Locator, Page, Request

from app.discovery import route_handlers
from app.login.guards import Role
from app.pages.frame import templates
from tests.harness.everybody import barriers_in_looks

_UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"
_PARAMETER = re.compile(r"\{\w+:(\w+)\}")
_EXTENDS = re.compile(r"""\{% extends "([^"]+)\.html" %\}""")
# Which page this is: folder and name.
TEMPLATE = "document.body.className.split(' ').slice(1, 3).join('/')"
_FORMS = "[...document.querySelectorAll('form[method=post]')].map(each => each.getAttribute('action'))"
# What a page only points at: files, and numbers that its script asks for.
_POINTED = """[...document.querySelectorAll('a[download], [data-live]')].map(
    each => new URL(each.dataset.live || each.href, location).pathname)"""
# Of these no address is opened: some page has to point at them.
POINTED_AT = re.compile(r"/(counts|register|file|news)$|/(checks|exports)/\{|/attachments/")
# Their answer to the form is a page of its own, which is to be seen in each language.
SHOWN_BY_FORMS = ("/dashboard/passkeys/new", "/dashboard/cases/search")
# It ends a walk, and is no part of it.
LAST = "/dashboard/logout"


class PageRoute(msgspec.Struct, frozen=True):
    """One of the officers' pages or forms."""

    method: str
    path: str
    roles: frozenset[Role]

    def fits(self, address: str) -> bool:
        parts = (_UUID if kind == "uuid" else "[^/]+" for kind in _PARAMETER.findall(self.path))
        pattern = _PARAMETER.sub("{}", self.path).format(*parts)
        return re.fullmatch(pattern, address.partition("?")[0]) is not None


class Walked(msgspec.Struct):
    """What all walks together came to. `seen`: templates with their language."""

    opened: set[str] = msgspec.field(default_factory=set)
    sent: set[str] = msgspec.field(default_factory=lambda: {LAST})
    seen: set[tuple[str, str]] = msgspec.field(default_factory=set)
    faults: list[str] = msgspec.field(default_factory=list)


class Walk:
    """One officer's, in one language. `typed`: what is filled in where a form has to be, by the field's name."""

    def __init__(self, page: Page, home: str, walked: Walked, typed: Mapping[str, str]) -> None:
        self.page, self._home, self._walked, self._typed = page, home, walked, typed
        self._may_refuse = False
        page.on("console", self._heard)
        page.on("pageerror", lambda error: walked.faults.append(str(error)))
        page.on("request", self._watched)

    async def see(self, address: str) -> None:
        """Open it, and look."""
        answer = await self.page.goto(f"{self._home}{address}")
        assert answer is not None
        assert answer.status == 200, f"{address}: {answer.status}"
        self._note(self._walked.opened, "GET", address)
        await self.look()

    async def see_refusal(self, address: str) -> None:
        """The same where it is no answer to what was asked for; a browser notes that on its console."""
        self._may_refuse = True
        await self.page.goto(f"{self._home}{address}")
        await self.look()
        self._may_refuse = False

    async def press(self, button: str, *, is_refused: bool = False, **fields: str) -> None:
        """Fill in fields by their ids, send their form, and look at what comes."""
        self._may_refuse = is_refused
        for name, typed in fields.items():
            await self.page.fill(f"#{name}", typed)
        async with self.page.expect_navigation():
            await self.page.click(button)
        await self.look()
        self._may_refuse = False

    async def look(self) -> None:
        """At the page as it stands: once for each template and language."""
        template = str(await self.page.evaluate(TEMPLATE))
        language = await self.page.locator("html").get_attribute("lang") or ""
        for pointed in await self.page.evaluate(_POINTED):
            self._note(self._walked.opened, "GET", pointed)
        if (template, language) not in self._walked.seen:
            self._walked.seen.add((template, language))
            found = await barriers_in_looks(self.page, "en" if language == "en" else "id")
            self._walked.faults += [f"{template} {language}: {each}" for each in found]

    async def send_all(self, path: str) -> None:
        """Each form of the page that nobody sent yet, one after the other."""
        while (place := await self._unsent()) is not None:
            await self._send(self.page.locator("form[method=post]").nth(place))
            await self.look()
            if not self._is_answer() or await self._unsent() is None:
                await self.see(await self.example(path))

    async def example(self, path: str) -> str:
        """An address of this route: the first that its list leads to."""
        if "{" not in path:
            return path
        lists, prefix = EXAMPLES[path]
        await self.page.goto(f"{self._home}{lists}")
        found = await self.page.locator(f"tbody a[href^='{prefix}']").first.get_attribute("href")
        assert found, f"{lists} leads to no {path}"
        return found

    async def _unsent(self) -> int | None:
        """The place of the first."""
        for place, action in enumerate(await self.page.evaluate(_FORMS)):
            if await self._key(action) not in self._walked.sent:
                return place
        return None

    async def _key(self, action: str) -> str:
        """By what it is known that a form was sent."""
        [route] = [each.path for each in FORMS if each.fits(action)]
        language = await self.page.locator("html").get_attribute("lang")
        return f"{route} {language}" if route in SHOWN_BY_FORMS else route

    async def _send(self, form: Locator) -> None:
        self._walked.sent.add(await self._key(await form.get_attribute("action") or ""))
        await self.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        for field in await form.locator("input:not([type=hidden]), textarea").all():
            await self._fill(field)
        button = form.locator("button[aria-pressed=true], button:not([aria-pressed])").first
        async with self.page.expect_navigation():
            await button.click()
        refused = self.page.locator("#problem")
        assert await refused.count() == 0, f"{self.page.url}: {await refused.inner_text()}"

    async def _fill(self, field: Locator) -> None:
        name, kind = await field.get_attribute("name"), await field.get_attribute("type")
        if kind == "checkbox":
            if name and not await self.page.locator(f"input[name={name}]:checked").count():
                await field.check()
        elif name in self._typed or await field.get_attribute("required") is not None:
            await field.fill(self._typed[str(name)])

    def _is_answer(self) -> bool:
        """Whether the page that is shown is a form's own answer, which no address leads to."""
        return not any(each.fits(self.page.url.removeprefix(self._home)) for each in PAGES)

    def _note(self, into: set[str], method: str, address: str) -> None:
        into |= {each.path for each in ROUTES if each.method == method and each.fits(address)}

    def _heard(self, said: ConsoleMessage) -> None:
        if not (self._may_refuse and said.text.startswith("Failed to load resource")):
            self._walked.faults.append(f"{self.page.url} says: {said.text}")

    def _watched(self, request: Request) -> None:
        if not request.url.startswith((self._home, "data:")):
            self._walked.faults.append(f"{self.page.url} asks {request.url}")
        elif request.method == "POST":
            self._note(self._walked.sent, "POST", urlsplit(request.url).path)


def page_routes() -> Sequence[PageRoute]:
    """Every page and form of officers, also before login."""
    handlers: Iterable[HTTPRouteHandler] = route_handlers()
    return [
        PageRoute(str(method), path, frozenset(each.opt.get("roles", ())))
        for each in handlers
        if each.opt.get("permission") in ("officer_page", "visitor_page")
        for path in sorted(each.paths)
        for method in sorted(each.http_methods - {"HEAD", "OPTIONS"})
    ]


def page_templates() -> set[str]:
    """Every page as people see it, by `<folder>/<name>`: what stands on another template, and nothing on it."""
    made: Any = templates()
    upon = {
        name.removesuffix(".html"): found[1]
        for name in made.list_templates()
        if (found := _EXTENDS.search(made.loader.get_source(made, name)[0]))
    }
    return upon.keys() - set(upon.values()) - {name for name in upon if name.startswith("pages/")}


ROUTES = page_routes()
FORMS = [each for each in ROUTES if each.method == "POST"]
PAGES = [each for each in ROUTES if each.method == "GET"]
# For a page of one thing: the list that leads to it, and how such an address begins.
EXAMPLES = {
    "/dashboard/cases/{case_id:uuid}": ("/dashboard/cases", "/dashboard/cases/"),
    "/dashboard/desk/{delivery_id:uuid}": ("/dashboard/desk?state=needs_operator", "/dashboard/desk/"),
    "/dashboard/systems/{backend:str}": ("/dashboard/systems", "/dashboard/systems/"),
    "/dashboard/city/services/{slug:str}": ("/dashboard/city/services", "/dashboard/city/services/"),
}

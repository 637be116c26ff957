"""The authorisation matrix: every route of the application, for every kind of caller, own and others' things."""

import re
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx
import msgspec
from litestar.handlers import HTTPRouteHandler

from app.assembly import build
from tests.harness.callers import Caller, Callers
from tests.harness.cases import PDF, new_key
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables
from tests.harness.things import Thing, Things

LIST = Path(__file__).parent.parent / "faults" / "authorisation.toml"
HOW = (
    "has no line in tests/faults/authorisation.toml: say there who may call it (`who`) and, where it takes an id or "
    "shows somebody's things, whose (`thing`, made in tests/harness/things.py)"
)
_DONE = (200, 201, 202, 204)
# What a page before login answers to a form that is not its own, and what an officers' page answers to others.
_NOT_LOGGED_IN = (303, "/dashboard/login")
_NOT_THEIRS = (403, "")

Who = Literal["anyone", "citizen", "page", "operator", "supervisor", "agency_head", "city_admin", "auditor"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One route. `thing` fills its path parameter and `{thing}` in `body` and `query`; `near` only stands beside.
    `page`: these roles may at a page alone; "page" in `who`: whoever is logged in there.
    `offers`: what its body takes beside, though it is protected elsewhere. `own`: what those get who may;
    `foreign`: what those get whose the thing is not. `ends`: it ends their session."""

    who: Sequence[Who]
    page: bool = False
    level: int = 1
    thing: str = ""
    near: str = ""
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: Any = None
    offers: Sequence[str] = ()
    form: Mapping[str, str] | None = None
    file: bool = False
    own: Sequence[int] = _DONE
    foreign: Sequence[int] = (404,)
    ends: bool = False
    streams: bool = False


class Route(msgspec.Struct, frozen=True):
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {re.sub(r':[a-z]+}', '}', self.path)}"


def rules() -> Mapping[str, Rule]:
    return msgspec.convert(tomllib.loads(LIST.read_text("utf-8")), dict[str, Rule])


def routes_of(handlers: Sequence[HTTPRouteHandler]) -> Sequence[Route]:
    """Each method of each path."""
    found = {
        Route(str(method), path)
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
    }
    return sorted(found, key=str)


class Matrix:
    """Tries one route after another. `findings` is empty where all is as it must be."""

    def __init__(self, client: httpx.AsyncClient, callers: Callers, things: Things, tables: Tables) -> None:
        self._client, self.callers, self.things, self.tables = client, callers, things, tables
        self._kinds: Sequence[Caller] = []

    async def open(self) -> None:
        """Make the callers, and of citizen A's and agency A's things what lists could leak."""
        self._kinds = await self.callers.every_kind()
        for name in ("case", "draft", "attachment", "message", "application", "delivery", "officer"):
            await self.things.make(name)
        a = self.callers.citizen_a
        self.things.secrets |= {str(a.id), a.person.nik, a.person.name, a.person.phone}

    async def findings(self, route: Route, rule: Rule) -> Sequence[str]:
        """All that is not as the rule has it."""
        found = [each async for each in self.refusals(route, rule)]
        found += [each async for each in self.others(route, rule)]
        found += [each async for each in self._owners(route, rule)]
        return [f"{route}: {each}" for each in found]

    async def refusals(self, route: Route, rule: Rule) -> AsyncIterator[str]:
        """Of those who may not call it at all."""
        async for each in self._refused(route, rule, await self._beside(rule)):
            yield each

    async def others(self, route: Route, rule: Rule) -> AsyncIterator[str]:
        """Of those who may, but not with this thing."""
        async for each in self._others(route, rule, await self._beside(rule)):
            yield each

    async def as_owner(self, route: Route, rule: Rule) -> httpx.Response:
        """What the first gets who may."""
        thing = await self._beside(rule)
        able = (each for each in self._kinds if refusal(rule, each) is None and (thing is None or owns(each, thing)))
        return await self.send(route, rule, next(able), thing)

    def who_may(self, rule: Rule) -> Caller:
        """The first."""
        self._kinds = [self.callers.lasting(caller) for caller in self._kinds]
        return next(each for each in self._kinds if refusal(rule, each) is None)

    async def _beside(self, rule: Rule) -> Thing | None:
        self._kinds = [self.callers.lasting(caller) for caller in self._kinds]
        name = rule.thing or rule.near
        return await self.things.make(name) if name else None

    async def _refused(self, route: Route, rule: Rule, thing: Thing | None) -> AsyncIterator[str]:
        """Whoever may not call it is told so, and nothing changes."""
        before = await self.tables.digest()
        for caller in self._kinds:
            expected = refusal(rule, caller)
            if expected is None:
                continue
            answer = await self.send(route, rule, caller, thing)
            if told(answer) != expected:
                yield f"{caller.name} got {told(answer)}, not {expected}"
            for leak in self.leaks(answer):
                yield f"{caller.name} was refused and yet read {leak}"
        changed = await self.tables.changed_since(before)
        if changed:
            yield f"refused, and yet changed: {changed}"

    async def _others(self, route: Route, rule: Rule, thing: Thing | None) -> AsyncIterator[str]:
        """Who may call it, but whose the thing is not: it is not there for them, as what never was."""
        for caller in self._kinds:
            if refusal(rule, caller) is not None or thing is None or owns(caller, thing):
                continue
            row = await self.things.row(thing)
            at_work = await self.callers.anew(caller) if rule.ends else caller
            answer = await self.send(route, rule, at_work, thing)
            if rule.thing:
                if answer.status_code not in rule.foreign:
                    yield f"{caller.name} got {told(answer)} for another's {rule.thing}"
                invented = Thing(str(uuid4()) if thing.table else "nowhere", "", "nobody", thing.headers)
                of_none = await self.send(route, rule, caller, invented)
                if told(of_none) != told(answer):
                    yield f"{caller.name} can tell another's {rule.thing} from none: {told(answer)}, {told(of_none)}"
            for leak in self.leaks(answer, thing.id if rule.thing else ""):
                yield f"{caller.name} read {leak}"
            if await self.things.row(thing) != row:
                yield f"{caller.name} changed another's {rule.thing or rule.near}"

    async def _owners(self, route: Route, rule: Rule) -> AsyncIterator[str]:
        """Who may gets what they asked for: so it was the guard and the owner that kept the others away."""
        for caller in self._kinds:
            if refusal(rule, caller) is not None:
                continue
            thing = await self.things.make(rule.thing) if rule.thing else None
            if thing is not None and not owns(caller, thing):
                continue
            at_work = await self.callers.anew(caller) if rule.ends else caller
            answer = await self.send(route, rule, at_work, thing)
            if answer.status_code not in rule.own:
                yield f"{caller.name} may, and got {told(answer)}: {answer.text[:200]}"
            if thing is None and not rule.near and not self._is_near(caller):
                for leak in self.leaks(answer):
                    yield f"{caller.name} read {leak}"

    async def send(self, route: Route, rule: Rule, caller: Caller, thing: Thing | None) -> httpx.Response:
        """One request, filled in as the rule says."""
        name, beside = (thing.id, thing.beside) if thing else ("", {})
        path = re.sub(r"{(\w+):\w+}", lambda found: rule.path.get(found[1]) or beside.get(found[1]) or name, route.path)
        headers = {**caller.headers, **(thing.headers if thing else {})}
        if route.method != "GET":
            headers["Idempotency-Key"] = new_key()
        more: dict[str, Any] = {"params": {key: value.replace("{thing}", name) for key, value in rule.query.items()}}
        if rule.file:
            more["files"] = {"file": ("berkas.pdf", PDF, "application/pdf")}
        elif rule.form is not None or ((rule.page or "page" in rule.who) and route.method != "GET"):
            more["data"] = {**filled(rule.form or {}, name), **({"mark": caller.mark} if caller.mark else {})}
        elif rule.body is not None:
            more["json"] = filled(rule.body, name)
        if rule.streams:
            async with self._client.stream(route.method, path, headers=headers, **more) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    return answer
                first = await anext(answer.aiter_bytes(), b"")
                return httpx.Response(answer.status_code, content=first, request=answer.request)
        return await self._client.request(route.method, path, headers=headers, **more)

    def leaks(self, answer: httpx.Response, sent: str = "") -> Iterator[str]:
        """What of A's stands in the answer, but for what was sent: a login leads back to the path asked for."""
        text, path = answer.text + str(answer.headers), answer.request.url.path
        return (each for each in self.things.secrets if each != sent and each in text and each not in path)

    def _is_near(self, caller: Caller) -> bool:
        """Whether A's things are this caller's business: A, A's agency, and the city's own."""
        return caller.id == self.callers.citizen_a.id or (caller.role is not None and caller.agency != "dinkes")


@asynccontextmanager
async def opened_matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    """The matrix of a running product, with its callers and their things."""
    product = build(api.settings, "matrix")
    await product.gate.keys.open()
    async with Tables(api.settings.database_url) as tables, api.client() as client:
        callers = Callers(product, people, officers, api.url)
        made = Matrix(client, callers, Things(callers, officers, tables), tables)
        await made.open()
        yield made
    await product.gate.close()
    await product.close()


def refusal(rule: Rule, caller: Caller) -> tuple[int, str] | None:
    """What this caller must be told; None where they may."""
    if "anyone" in rule.who:
        return None
    if "page" in rule.who:
        return None if caller.kind == "page" else _NOT_LOGGED_IN
    if rule.page:
        return _NOT_LOGGED_IN if caller.kind != "page" else None if caller.role in rule.who else _NOT_THEIRS
    wanted = "citizen" if "citizen" in rule.who else "officer"
    if caller.kind in ("anonymous", "page"):
        return 401, caller.refused
    if caller.kind != wanted:
        # An old token is told so, whatever it was for.
        return 401, "token_expired" if caller.refused == "token_expired" else "token_invalid"
    if caller.refused:
        return 401, caller.refused
    if wanted == "citizen":
        return (403, "assurance_level_too_low") if caller.level < rule.level else None
    return None if caller.role in rule.who else (403, "forbidden")


def owns(caller: Caller, thing: Thing) -> bool:
    """A citizen's things are citizen A's; an agency's are its officers' and the city's; a session is one officer's."""
    if thing.owner == "A":
        return caller.name == "citizen A"
    if thing.owner.startswith("officer "):
        return thing.owner == f"officer {caller.id}"
    return caller.role is not None and caller.agency in ("", thing.owner)


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status, and the code or where it leads."""
    if answer.status_code == 303:
        return 303, answer.headers["location"].partition("?")[0]
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return answer.status_code, str(answer.json()["code"]) if is_problem else ""


def filled(value: Any, name: str) -> Any:
    """The body with the thing's id where it says `{thing}`."""
    if isinstance(value, str):
        return value.replace("{thing}", name)
    if isinstance(value, dict):
        return {key: filled(each, name) for key, each in value.items()}
    return [filled(each, name) for each in value] if isinstance(value, list) else value

"""Delegations of every standing, and what somebody who names one may reach: for the matrix of those who act for
others."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
from litestar.handlers import HTTPRouteHandler

from app.discovery import route_handlers
from app.login.guards import ACTING_FOR
from tests.harness.callers import Caller
from tests.harness.matrix import Matrix, Route, Rule, opened_matrix, told
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.things import Thing

PERMIT, TICKET = "outdoor-advertising", "puskesmas-queue-ticket"
_INSERT = """
INSERT INTO delegations (id, relation, state, subject_id, delegate_id, subject_index, services, days, asked_until,
    granted_at, expires_at, ended_at)
SELECT $1, 'other', $2::text, CASE WHEN $2::text <> 'asked' THEN id END, $4, nik_index, $5, 30,
    now() + interval '7 days', now() - interval '1 hour',
    CASE WHEN $2::text <> 'asked' THEN now() + make_interval(mins => $6) END, now()
FROM citizens WHERE id = $3
"""
_ALLOWED = """
SELECT id::text, number FROM cases WHERE citizen_id = $1 AND service = ANY($2)
"""


class Named(msgspec.Struct, frozen=True):
    """A delegation that somebody names. `services`: what it covers; empty where it does not hold for them."""

    name: str
    caller: Caller
    services: Sequence[str] = ()


class ActingMatrix:
    """Every route for whoever acts for citizen A, rightly or not."""

    def __init__(self, matrix: Matrix, people: People) -> None:
        self._matrix, self._people = matrix, people
        self.named: Sequence[Named] = []

    async def open(self) -> None:
        """Make the delegates and their delegations."""
        a = self._matrix.callers.citizen_a
        delegate, stranger, other = [await self._people.make() for _ in range(3)]
        self._level_1 = await self._people.make(assurance_level=1)

        async def make(state: str, subject: UUID, minutes: int = 60, services: Sequence[str] = (PERMIT,)) -> str:
            new = uuid4()
            given = (new, state, subject, delegate.id, list(services), minutes)
            await self._matrix.tables.run(_INSERT, *given)
            return str(new)

        def named(name: str, delegation: str, services: Sequence[str] = (), who: Any = delegate) -> Named:
            caller = self._matrix.callers.citizen(name, who, 2)
            return Named(
                name, msgspec.structs.replace(caller, headers={**caller.headers, ACTING_FOR: delegation}), services
            )

        permits, tickets = await make("active", a.id), await make("active", a.id, services=[TICKET])
        self.named = [
            named("for permits", permits, [PERMIT]),
            named("for tickets", tickets, [TICKET]),
            named("expired", await make("active", a.id, -1)),
            named("revoked", await make("ended", a.id)),
            named("refused", await make("refused", a.id)),
            named("asked for", await make("asked", a.id)),
            named("a stranger with A's", permits, who=stranger),
            named("A with their own", permits, who=a),
            named("invented", str(uuid4())),
            named("no id", "nonsense"),
            named("empty", ""),
        ]
        self.of_other = named(
            "for somebody else", await make("active", other.id, services=[PERMIT, TICKET]), [PERMIT, TICKET]
        )

    async def refusals(self, routes: Sequence[tuple[Route, Rule]]) -> Sequence[str]:
        """Of routes that nobody may call for others: what is told, leaked or changed all the same."""
        before = await self._matrix.tables.digest()
        found = []
        for route, rule in routes:
            for each in (*self.named, self.of_other):
                invented = Thing(str(uuid4()), "", "nobody")
                answer = await self._matrix.send(route, rule, self._fresh(each), invented)
                # Pages say it as a page.
                if told(answer) not in ((403, "acting_not_allowed"), (403, "")):
                    found.append(f"{route}: {each.name} got {told(answer)}")
                found += [f"{route}: {each.name} read {leak}" for leak in self._matrix.leaks(answer)]
        changed = await self._matrix.tables.changed_since(before)
        return [*found, *(f"refused, and yet changed: {table}" for table in changed)]

    async def findings(self, route: Route, rule: Rule, on: str) -> Sequence[str]:
        """Of a route that may be called for others."""
        found = []
        for each in (*self.named, self.of_other):
            thing = await self._matrix.things.make(rule.thing) if rule.thing else None
            before = await self._row(thing)
            answer = await self._matrix.send(route, rule, self._fresh(each), thing)
            covered = on == "case" and each is not self.of_other and await self._covers(each, thing)
            wrong = self._unexpected(route, rule, on, each, covered, answer)
            found += [wrong] if wrong else []
            allowed = await self._allowed(each, covered)
            sent = thing.id if thing else ""
            found += [f"{each.name} read {leak}" for leak in self._matrix.leaks(answer, sent) if leak not in allowed]
            if not covered and await self._row(thing) != before:
                found.append(f"{each.name} changed the {rule.thing}")
        return [f"{route}: {each}" for each in found]

    def _unexpected(self, route: Route, rule: Rule, on: str, each: Named, covered: bool, answer: httpx.Response) -> str:
        got = told(answer)
        if not each.services:
            return "" if got == (403, "delegation_invalid") else f"{each.name} got {got}"
        if on == "services":
            return self._unexpected_of_services(route, each, answer)
        if covered:
            return "" if answer.status_code in rule.own else f"{each.name} may, and got {got}: {answer.text[:200]}"
        return "" if answer.status_code == 404 else f"{each.name} got {got} for what is not covered"

    def _unexpected_of_services(self, route: Route, each: Named, answer: httpx.Response) -> str:
        """A's loose file is not to be had, and no case of a service that is not covered is opened."""
        got = told(answer)
        if str(route) == "POST /v1/cases":
            may = PERMIT in each.services
            right = (422, "attachment_not_usable") if may else (403, "delegation_not_for_service")
            return "" if got == right else f"{each.name} got {got}"
        return "" if answer.status_code < 300 else f"{each.name} got {got}"

    async def _covers(self, each: Named, thing: Thing | None) -> bool:
        if thing is None or thing.table != "cases":
            return False
        service = await self._matrix.tables.value("SELECT service FROM cases WHERE id = $1", UUID(thing.id))
        return service in each.services

    async def _allowed(self, each: Named, covered: bool) -> set[str]:
        """What of A's a delegate may see: the cases of their services, and with one of them A's name on its form."""
        a = self._matrix.callers.citizen_a
        services = [] if each is self.of_other else list(each.services)
        rows = await self._matrix.tables.rows(_ALLOWED, a.id, services)
        shown = {str(value) for row in rows for value in row.values()}
        return shown | {a.person.name, a.person.nik, a.person.phone} if covered else shown

    async def _row(self, thing: Thing | None) -> str:
        return await self._matrix.things.row(thing) if thing else ""

    def _fresh(self, each: Named) -> Caller:
        """With a token of this moment."""
        fresh = self._matrix.callers.lasting(each.caller)
        return msgspec.structs.replace(fresh, headers={**each.caller.headers, **fresh.headers})


def acting_on() -> Mapping[str, str]:
    """Of every route what it may be called on for others, "" where it may not."""
    return {name: str(handler.opt.get("acting", "")) for name, handler in _handlers()}


def _handlers() -> Iterator[tuple[str, HTTPRouteHandler]]:
    for handler in route_handlers():
        for path in handler.paths:
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                yield str(Route(str(method), path)), handler


@asynccontextmanager
async def opened_acting(api: Api, people: People, officers: Officers) -> AsyncIterator[ActingMatrix]:
    async with opened_matrix(api, people, officers) as matrix:
        made = ActingMatrix(matrix, people)
        await made.open()
        yield made

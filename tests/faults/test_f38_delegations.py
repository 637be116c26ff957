"""F38 for those who act for others: every route of the application, with a delegation of every standing. What is not
granted, not covered, not any more or somebody else's opens nothing; and each check that keeps it so is missed."""

import re
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from litestar import Request
from litestar.handlers import BaseRouteHandler
from msgspec.structs import replace

from app.cases import filled
from app.delegations import door
from app.discovery import route_handlers
from app.login.guards import Caller, guard
from tests.harness.acting import ActingMatrix, acting_on, opened_acting
from tests.harness.matrix import Route, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api

RULES, ON = rules(), acting_on()
ROUTES = [route for route in routes_of(route_handlers()) if str(route) in RULES]
OPEN = [route for route in ROUTES if ON[str(route)]]
CLOSED = [route for route in ROUTES if not ON[str(route)]]


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], postgres_url: str) -> dict[str, str]:
    """As the database's owner, whom row-level security does not bind: what is tried here is the first net alone."""
    environment["LOKET_DATABASE_URL"] = postgres_url
    return environment


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[ActingMatrix]:
    async with opened_acting(api, people, officers) as made:
        yield made


def test_only_what_is_a_citizens_may_be_done_for_others() -> None:
    assert {"GET /v1/cases", "POST /v1/cases", "GET /v1/cases/{case_id}"} <= {str(route) for route in OPEN}
    assert all("citizen" in RULES[str(route)].who for route in OPEN)


async def test_every_other_route_refuses_whoever_acts_for_another(matrix: ActingMatrix) -> None:
    findings = await matrix.refusals([(route, RULES[str(route)]) for route in CLOSED])
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("route", OPEN, ids=str)
async def test_opens_what_the_delegation_covers_and_nothing_else(route: Route, matrix: ActingMatrix) -> None:
    findings = await matrix.findings(route, RULES[str(route)], ON[str(route)])
    assert not findings, "\n".join(findings)


def without(*lost: str) -> dict[Any, str]:
    """The door's statements with a check less."""
    shortened = dict(door._ACT)
    for part in lost:
        assert any(part in statement for statement in shortened.values()), part
        shortened = {on: statement.replace(part, "true") for on, statement in shortened.items()}
    return shortened


# Behind "whose case it is" each handler's own owner stands as well.
CHECKS = {
    "whose it is": ("coalesce(delegate_id, officer_id) = $3",),
    "until when it holds": ("expires_at > now()",),
    "whether it was revoked": ("state = 'active'",),
    "for which services it is": ("service = ANY(known.services)",),
}


@pytest.mark.parametrize("check", CHECKS)
async def test_a_check_less_shows(check: str, matrix: ActingMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_ACT", without(*CHECKS[check]))
    [route] = [each for each in OPEN if str(each) == "GET /v1/cases/{case_id}"]
    assert await matrix.findings(route, RULES[str(route)], "case")


async def test_a_route_that_forgets_to_refuse_shows(
    api: Api, matrix: ActingMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_everybody(connection: Request[Any, Any, Any], handler: BaseRouteHandler) -> None:
        named = SimpleNamespace(opt={**handler.opt, "acting": "services"})
        await guard(connection, cast("BaseRouteHandler", named))

    monkeypatch.setattr("app.main.guard", for_everybody)
    own = [route for route in CLOSED if str(route) in ("GET /v1/me", "GET /v1/inbox", "GET /v1/me/access-log")]
    assert len(own) == 3
    for route in own:
        assert await matrix.refusals([(route, RULES[str(route)])])
    # What was served so left no row, which the witness would hold against this module.
    api.witness.served.clear()


FILTERS = {
    "GET /v1/cases": (r"service = ANY\(\$2::text\[\]\)", "$2::text[] IS NOT NULL"),
    "POST /v1/cases": (r"delegation_id = \$4", "$4 IS NOT NULL"),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_less_shows(name: str, matrix: ActingMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern, anything = FILTERS[name]
    prepare: Callable[..., Any] = asyncpg.Connection._get_statement  # type: ignore[attr-defined]
    met: list[str] = []

    async def changed(self: Any, query: str, *given: Any, **more: Any) -> Any:
        met.extend(re.findall(pattern, query))
        return await prepare(self, re.sub(pattern, anything, query), *given, **more)

    monkeypatch.setattr(asyncpg.Connection, "_get_statement", changed)
    [route] = [each for each in OPEN if str(each) == name]
    assert await matrix.findings(route, RULES[name], ON[name])
    assert met


async def test_a_service_that_is_not_asked_after_shows(matrix: ActingMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    original = filled.service_for

    def for_anybody(slug: str, caller: Caller, tools: Any) -> Any:
        return original(slug, replace(caller, acting=None), tools)

    monkeypatch.setattr(filled, "service_for", for_anybody)
    [route] = [each for each in OPEN if str(each) == "POST /v1/cases"]
    assert await matrix.findings(route, RULES[str(route)], "services")

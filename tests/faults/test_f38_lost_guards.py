"""F38 the other way round: one guard, role or owner is taken out of the running product, and the matrix shows it."""

import re
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast, get_args

import asyncpg
import pytest
from litestar import Request
from litestar.handlers import BaseRouteHandler
from msgspec.structs import replace
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection

from app.discovery import route_handlers
from app.login.guards import Officer, Role, guard
from tests.harness.matrix import Matrix, Route, Rule, opened_matrix, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api

RULES = rules()
ROLES = frozenset(get_args(Role))
CLOSED = [
    route for route in routes_of(route_handlers()) if str(route) in RULES and "anyone" not in RULES[str(route)].who
]
OFFICERS = [route for route in CLOSED if not {"citizen", "page"} & set(RULES[str(route)].who)]
# `citizen_id = $2`, `sessions.citizen_id = $2::UUID`: the owner in a query, however it was written.
_OWNER = re.compile(r"\b((?:\w+\.)?(?:citizen_id|officer_id|subject_id|delegate_id)|asked\.id) = (\$\d+(?:::\w+)?)")
# Where every statement passes, the driver's own and SQLAlchemy's.
_PREPARING: dict[type, str] = {asyncpg.Connection: "_get_statement", AsyncAdapt_asyncpg_connection: "_prepare"}

AnyRequest = Request[Any, Any, Any]


def rule(route: Route) -> Rule:
    return RULES[str(route)]


OF_CITIZENS = [route for route in CLOSED if "citizen" in rule(route).who and rule(route).thing]
LISTS = [route for route in CLOSED if str(route) in ("GET /v1/cases", "GET /v1/inbox", "GET /v1/me/sessions")]
OF_OFFICERS = [
    route
    for route in CLOSED
    if rule(route).thing in ("officer session", "page session", "officer passkey", "page passkey", "officer view")
]
OF_AGENCIES = [
    route
    for route in OFFICERS
    if (
        rule(route).thing in ("delivery", "backend", "officer", "invited officer") and rule(route).who != ["city_admin"]
    )
    or (rule(route).thing == "agency case" and route.method == "GET")
]


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], postgres_url: str) -> dict[str, str]:
    """As the database's owner: the second net would hide that the first is gone."""
    environment["LOKET_DATABASE_URL"] = postgres_url
    return environment


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    async with opened_matrix(api, people, officers) as made:
        yield made


@pytest.mark.parametrize("route", CLOSED, ids=str)
async def test_a_lost_guard_shows(route: Route, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    async def without_one(connection: AnyRequest, handler: BaseRouteHandler) -> None:
        if handler.paths != {route.path} or connection.method != route.method:
            await guard(connection, handler)

    monkeypatch.setattr("app.main.guard", without_one)
    assert await anext(matrix.refusals(route, rule(route)), None)


@pytest.mark.parametrize("route", [each for each in OFFICERS if len(rule(each).who) < len(ROLES)], ids=str)
async def test_a_guard_that_forgets_the_role_shows(
    route: Route, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def by_any_role(connection: AnyRequest, handler: BaseRouteHandler) -> None:
        named = SimpleNamespace(opt={**handler.opt, "roles": ROLES})
        await guard(connection, cast("BaseRouteHandler", named))

    monkeypatch.setattr("app.main.guard", by_any_role)
    assert await anext(matrix.refusals(route, rule(route)), None)


@pytest.mark.parametrize("route", [*OF_CITIZENS, *LISTS, *OF_OFFICERS], ids=str)
async def test_a_lost_owner_shows(route: Route, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every query that names an owner finds everybody's rows."""
    for connection, prepares in _PREPARING.items():
        monkeypatch.setattr(connection, prepares, unowned(getattr(connection, prepares)))
    assert await anext(matrix.others(route, rule(route)), None)


@pytest.mark.parametrize("route", OF_AGENCIES, ids=str)
async def test_a_lost_agency_shows(route: Route, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    async def for_the_whole_city(connection: AnyRequest, handler: BaseRouteHandler) -> None:
        await guard(connection, handler)
        if isinstance(connection.scope.get("user"), Officer):
            connection.scope["user"] = replace(connection.scope["user"], agency="")

    monkeypatch.setattr("app.main.guard", for_the_whole_city)
    assert await anext(matrix.others(route, rule(route)), None)


def unowned(original: Callable[..., Any]) -> Callable[..., Any]:
    """The same, for a statement whose owner is anybody."""

    async def changed(self: Any, query: str, *given: Any, **more: Any) -> Any:
        return await original(self, _OWNER.sub(r"(\1 = \2 OR \2 IS NOT NULL)", query), *given, **more)

    return changed

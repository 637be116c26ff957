"""Every route, present and future: a permission, a name of its own, and the problems it can answer with."""

import re

import pytest
from litestar.handlers import HTTPRouteHandler

from app.discovery import route_handlers
from app.problems import PROBLEM_JSON
from tests.harness.source import modules, nothing

pytestmark = pytest.mark.tree

HANDLERS: list[HTTPRouteHandler] = route_handlers()
# Pages and their files are no part of the contract.
TOLD = [handler for handler in HANDLERS if handler.include_in_schema is not False]
PERMISSIONS = {"public", "citizen", "officer", "officer_page", "visitor_page"}
# Whatever the route: the client, the rate limit, we and our database can each be at fault.
ALWAYS = {400, 406, 429, 500, 503}


def name_of(handler: HTTPRouteHandler) -> str:
    return handler.operation_id if isinstance(handler.operation_id, str) else handler.fn.__name__


def test_routes_were_found() -> None:
    found = {handler.fn.__module__.split(".")[0] for handler in HANDLERS}
    assert found == {"app", "services"}, modules("services")


def test_operation_ids_are_unique() -> None:
    ids = [str(handler.operation_id) for handler in TOLD]
    assert sorted(ids) == sorted(set(ids))
    nothing(f"{name} is not snake_case" for name in ids if not re.fullmatch(r"[a-z][a-z0-9_]+", name))


@pytest.mark.parametrize("handler", HANDLERS, ids=name_of)
def test_names_its_permission(handler: HTTPRouteHandler) -> None:
    """What names none is closed at run time; it is a mistake all the same."""
    assert handler.opt.get("permission") in PERMISSIONS


@pytest.mark.parametrize("handler", TOLD, ids=name_of)
def test_says_what_it_is_for(handler: HTTPRouteHandler) -> None:
    assert handler.summary
    assert handler.tags


@pytest.mark.parametrize("handler", TOLD, ids=name_of)
def test_tells_of_every_problem(handler: HTTPRouteHandler) -> None:
    told = handler.responses or {}
    expected = ALWAYS | {"public": set(), "citizen": {401}, "officer": {401, 403}}[handler.opt["permission"]]
    assert expected <= told.keys()
    # Readiness tells each part's state in its 503, which is an answer and no problem.
    own = {503} if "/readyz" in handler.paths else set()
    assert all(told[status].media_type == PROBLEM_JSON for status in told.keys() - own if status >= 400)


@pytest.mark.parametrize("handler", HANDLERS, ids=name_of)
def test_lives_where_its_kind_lives(handler: HTTPRouteHandler) -> None:
    """The API below /v1; elsewhere only what is fixed by others or made for a browser."""
    outside = (
        "/dashboard",
        "/pages/",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/.well-known/",
        "/metrics",
        "/oauth/",
        "/callbacks/",
        "/check",
    )
    assert all(path.startswith(("/v1/", *outside)) or path == "/" for path in handler.paths), handler.paths

"""F38: every route, for every kind of caller, own and others' things: it opens for whom its line says, not else."""

import re
from collections.abc import AsyncIterator

import pytest

from app.discovery import route_handlers
from app.docs.contract import CONFIG_PATH
from app.main import create_app
from tests.harness.matrix import HOW, Matrix, Route, opened_matrix, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api

ROUTES = routes_of(route_handlers())
RULES = rules()


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], postgres_url: str) -> dict[str, str]:
    """As the database's owner, whom row-level security does not bind: what is tried here is the first net alone."""
    environment["LOKET_DATABASE_URL"] = postgres_url
    return environment


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    async with opened_matrix(api, people, officers) as made:
        yield made


def test_every_route_has_its_line_and_no_line_is_left_over() -> None:
    named = {str(route) for route in ROUTES}
    assert not [f"{route} {HOW}" for route in sorted(named - set(RULES))]
    assert not set(RULES) - named, "these routes are gone"


async def test_what_the_framework_adds_by_itself_is_closed(api: Api) -> None:
    """A route past our discovery would stand outside the matrix; it names no permission, and so nobody comes in."""
    served = {(route.path_format, str(each)) for route in create_app(api.settings).routes for each in route.methods}
    ours = {(re.sub(r":[a-z]+}", "}", route.path), route.method) for route in ROUTES}
    assert ours <= served
    further = {path for path, method in served - ours if method != "OPTIONS"}
    assert further == {path for path in further if path.startswith(CONFIG_PATH)}
    async with api.client() as client:
        answers = [await client.get(path) for path in further]
    assert {answer.status_code for answer in answers} == {403}


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_opens_for_whom_it_should_and_nobody_else(route: Route, matrix: Matrix) -> None:
    assert str(route) in RULES, f"{route} {HOW}"
    findings = await matrix.findings(route, RULES[str(route)])
    assert not findings, "\n".join(findings)

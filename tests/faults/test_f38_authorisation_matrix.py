"""F38: every route, for every kind of caller, own and others' things; and that losing one guard or owner shows."""

from collections.abc import AsyncIterator

import pytest

from app.assembly import build
from app.discovery import route_handlers
from app.main import create_app
from tests.harness.callers import Callers
from tests.harness.matrix import HOW, Matrix, Route, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables
from tests.harness.things import Things

ROUTES = routes_of(route_handlers())
RULES = rules()


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    product = build(api.settings, "matrix")
    await product.gate.keys.open()
    async with Tables(api.settings.database_url) as tables, api.client() as client:
        callers = Callers(product, people, officers, api.url)
        made = Matrix(client, callers, Things(callers, officers, tables), tables)
        await made.open()
        yield made
    await product.gate.close()
    await product.close()


def test_every_route_has_its_line_and_no_line_is_left_over() -> None:
    named = {str(route) for route in ROUTES}
    assert not [f"{route} {HOW}" for route in sorted(named - set(RULES))]
    assert not set(RULES) - named, "these routes are gone"


async def test_the_running_application_has_no_other_routes(api: Api) -> None:
    """What Litestar adds by itself, or a handler registered past the discovery, would stand outside the matrix."""
    served = create_app(api.settings).routes
    found = {(route.path_format, str(method)) for route in served for method in route.methods if method != "OPTIONS"}
    assert found == {
        (route.path.replace(":uuid", "").replace(":str", "").replace(":int", ""), route.method) for route in ROUTES
    }


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_opens_for_whom_it_should_and_nobody_else(route: Route, matrix: Matrix) -> None:
    assert str(route) in RULES, f"{route} {HOW}"
    findings = await matrix.findings(route, RULES[str(route)])
    assert not findings, "\n".join(findings)

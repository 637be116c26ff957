"""F39: fields that a body does not have, methods that a path does not have, and methods that come in disguise."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import replace

from app.discovery import route_handlers
from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.matrix import Matrix, Route, opened_matrix, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.tables import Tables

RULES = rules()
# What somebody would add who has read our tables, or guesses at them.
PROTECTED: dict[str, Any] = {
    "id": "01970000-0000-7000-8000-000000000000",
    "citizen_id": "01970000-0000-7000-8000-000000000000",
    "role": "city_admin",
    "agency": "dinkes",
    "status": "approved",
    "state": "active",
    "assurance_level": 3,
    "is_admin": True,
    "delivery_state": "delivered",
    "created_at": "2020-01-01T00:00:00Z",
    "__proto__": {"role": "city_admin"},
}
# Of the open ones the Structs are looked at; what they are sent here is wrong on purpose already.
BODIES = [
    route
    for route in routes_of(route_handlers())
    if isinstance(RULES[str(route)].body, dict) and "anyone" not in RULES[str(route)].who
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]
DISGUISES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
# A file comes as parts; parts that nobody asked for are not read.
WITH_BODY = [
    handler
    for handler in route_handlers()
    if handler.parsed_data_field is not None and handler.operation_id != "send_attachment"
]


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    async with opened_matrix(api, people, officers) as made:
        yield made


@pytest.mark.parametrize("handler", WITH_BODY, ids=lambda handler: str(handler.operation_id))
def test_every_body_refuses_what_it_does_not_have(handler: HTTPRouteHandler) -> None:
    """Also the bodies within it."""
    field = handler.parsed_data_field
    assert field is not None
    open_ones = [
        kind.__name__ for kind in structs(field.annotation) if not kind.__struct_config__.forbid_unknown_fields
    ]
    assert open_ones == []


@pytest.mark.parametrize("route", BODIES, ids=str)
async def test_a_hidden_field_changes_nothing(route: Route, matrix: Matrix, tables: Tables) -> None:
    rule = RULES[str(route)]
    hidden = {name: value for name, value in PROTECTED.items() if name not in {*rule.body, *rule.offers}}
    for name, value in hidden.items():
        answer = await matrix.as_owner(route, replace(rule, body={**rule.body, name: value}))
        assert answer.status_code == 422, (name, answer.text)
        assert "unknown_field" in {fault["code"] for fault in answer.json()["errors"]}, (name, answer.text)


async def test_a_form_takes_no_field_that_its_schema_lacks(citizen: Citizen, tables: Tables) -> None:
    form = advertising(await send_pdf(citizen))
    before = await tables.digest()
    for name, value in PROTECTED.items():
        body = {"service": SERVICE, "form": {**form, name: value}}
        assert (await citizen.post("/v1/cases", body, key=new_key())).status_code == 422, name
    assert await tables.changed_since(before) == []


async def test_no_path_has_a_method_it_does_not_name(citizen: Citizen, tables: Tables) -> None:
    paths: dict[str, set[str]] = {}
    for route in routes_of(route_handlers()):
        paths.setdefault(route.path, set()).add(route.method)
    before = await tables.digest()
    for path, named in paths.items():
        concrete = "/".join("01970000-0000-7000-8000-000000000000" if "{" in part else part for part in path.split("/"))
        for method in METHODS:
            if method not in named and not (method == "HEAD" and "GET" in named):
                answer = await citizen.client.request(method, concrete)
                assert answer.status_code in (400, 404, 405), (method, path, answer.status_code)
    assert await tables.changed_since(before) == []


@pytest.mark.parametrize("header", DISGUISES)
async def test_a_method_in_disguise_is_the_method_it_came_as(citizen: Citizen, tables: Tables, header: str) -> None:
    before = await tables.digest()
    path = "/v1/me/sessions"
    answer = await citizen.client.get(path, headers={header: "DELETE"}, params={"_method": "DELETE"})
    assert answer.status_code in (200, 400)
    assert (await citizen.get("/v1/me")).status_code == 200
    assert await tables.changed_since(before) == []


def structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Every Struct that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs(field.type)
    for part in get_args(kind):
        yield from structs(part)

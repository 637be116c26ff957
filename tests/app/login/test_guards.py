"""A handler that names no permission, or one nobody knows, is closed; a public one stays open whatever token comes."""

from collections.abc import Mapping
from typing import Any

import pytest
from litestar import Request, get
from litestar.types import HTTPScope

from app.errors import Forbidden, Unauthenticated
from app.login.guards import PUBLIC, guard, provide_caller
from tests.app.login.journey import Journey


def _request() -> Request[Any, Any, Any]:
    scope: HTTPScope = {"type": "http", "headers": [], "method": "GET", "path": "/", "query_string": b""}  # type: ignore[typeddict-item]
    return Request(scope)


def _handler(opt: Mapping[str, object]) -> Any:
    @get("/thing", opt=opt, sync_to_thread=False)
    def thing() -> None: ...

    return thing


@pytest.mark.parametrize(
    "opt",
    [
        {},
        {"permission": ""},
        {"permission": None},
        {"permission": "Public"},
        {"permission": "officers"},
        {"public": True},
    ],
)
async def test_closed_unless_named(opt: dict[str, object]) -> None:
    with pytest.raises(Forbidden):
        await guard(_request(), _handler(opt))


async def test_public_has_no_caller() -> None:
    request = _request()
    await guard(request, _handler(PUBLIC))
    with pytest.raises(Unauthenticated):
        provide_caller(request)


async def test_public_route_does_not_look_at_a_token(journey: Journey) -> None:
    async with journey.api.client(token="not.a.token") as client:
        assert (await client.get("/.well-known/jwks.json")).status_code == 200

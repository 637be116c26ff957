"""The permission every handler names, the guard that asks for it, and who is calling. What names none is closed."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from app.errors import Forbidden, Unauthenticated
from app.login.gate import Gate

PUBLIC = {"permission": "public"}
CITIZEN = {"permission": "citizen"}

_SCHEME = "bearer "


class Caller(msgspec.Struct, frozen=True):
    """Who sent this request, as the verified access token says. `id` is the citizen's."""

    kind: Literal["citizen"]
    id: UUID
    session_id: UUID
    assurance_level: int


# What a CITIZEN handler gets: `request.user` is who sent it.
CitizenRequest = Request[Caller, Any, Any]


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let the request in, or raise Unauthenticated or Forbidden. Runs before the body is read."""
    permission = handler.opt.get("permission")
    if permission == "public":
        return
    if permission != "citizen":
        raise Forbidden
    connection.scope["user"] = await _caller(connection)


def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """The caller of a CITIZEN route. On a PUBLIC route there is none, and asking for one is refused."""
    caller = request.scope.get("user")
    if not isinstance(caller, Caller):
        raise Unauthenticated
    return caller


def provide_gate(request: Request[Any, Any, Any]) -> Gate:
    """This process's gate, which the assembly keeps in the application's state."""
    gate: Gate = request.app.state["gate"]
    return gate


DEPENDENCIES = {
    "caller": Provide(provide_caller, sync_to_thread=False),
    "gate": Provide(provide_gate, sync_to_thread=False),
}


async def _caller(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    authorization = connection.headers.get("authorization", "")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("token_missing")
    gate: Gate = connection.app.state["gate"]
    claims = await gate.admit(authorization[len(_SCHEME) :])
    return Caller("citizen", claims.citizen_id, claims.session_id, claims.assurance_level)

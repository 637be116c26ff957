"""The permission every handler names, the guard that asks for it, and who is calling. What names none is closed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
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

Role = Literal["operator", "supervisor", "agency_head", "city_admin", "auditor"]


def citizen(*, level: int) -> Mapping[str, object]:
    """For citizens whose session has this assurance level at least; others are told which level they need."""
    return {**CITIZEN, "level": level}


def officer(*roles: Role) -> Mapping[str, object]:
    """For officers of these roles. Which agency's things they may touch is part of the handler's query."""
    if not roles:
        raise ValueError("a handler for officers names their roles")
    return {"permission": "officer", "roles": frozenset(roles)}


class Caller(msgspec.Struct, frozen=True):
    """Who sent this request, as the verified access token says. `id` is the citizen's."""

    kind: Literal["citizen"]
    id: UUID
    session_id: UUID
    assurance_level: int


class Officer(msgspec.Struct, frozen=True):
    """The officer who sent this request, as the account stands now. `agency` is "" for the whole city's."""

    kind: Literal["officer"]
    id: UUID
    name: str
    agency: str
    role: Role
    session_id: UUID


# What a CITIZEN handler gets: `request.user` is who sent it. An officer's handler gets the other.
CitizenRequest = Request[Caller, Any, Any]
OfficerRequest = Request[Officer, Any, Any]


class OfficerDoor(ABC):
    """Knows officers by what they bring. app.login.officers implements it."""

    @abstractmethod
    async def by_token(self, token: str) -> Officer:
        """Raises Unauthenticated."""

    @abstractmethod
    async def by_cookie(self, cookie: str) -> Officer | None:
        """Whose living page session it is."""


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let the request in, or raise Unauthenticated or Forbidden. Runs before the body is read."""
    permission = handler.opt.get("permission")
    if permission == "public":
        return
    if permission == "citizen":
        caller = await _caller(connection)
        level = handler.opt.get("level", 1)
        if caller.assurance_level < level:
            raise Forbidden("assurance_level_too_low", params={"level": level})
        connection.scope["user"] = caller
    elif permission == "officer":
        door: OfficerDoor = connection.app.state["officer_door"]
        found = await door.by_token(_bearer(connection))
        if found.role not in handler.opt["roles"]:
            raise Forbidden
        connection.scope["user"] = found
    else:
        raise Forbidden


def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """The caller of a CITIZEN route. On any other there is none, and asking for one is refused."""
    caller = request.scope.get("user")
    if not isinstance(caller, Caller):
        raise Unauthenticated
    return caller


def provide_officer(request: Request[Any, Any, Any]) -> Officer:
    """The officer of an officers' route."""
    found = request.scope.get("user")
    if not isinstance(found, Officer):
        raise Unauthenticated
    return found


def provide_gate(request: Request[Any, Any, Any]) -> Gate:
    """This process's gate, which the assembly keeps in the application's state."""
    gate: Gate = request.app.state["gate"]
    return gate


DEPENDENCIES = {
    "caller": Provide(provide_caller, sync_to_thread=False),
    "officer": Provide(provide_officer, sync_to_thread=False),
    "gate": Provide(provide_gate, sync_to_thread=False),
}


async def _caller(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    gate: Gate = connection.app.state["gate"]
    claims = await gate.admit(_bearer(connection))
    return Caller("citizen", claims.citizen_id, claims.session_id, claims.assurance_level)


def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    authorization = connection.headers.get("authorization", "")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("token_missing")
    return authorization[len(_SCHEME) :]

"""The permission every handler names, the guard that asks for it, and who is calling. What names none is closed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Request
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from app.asking import Acting
from app.errors import Forbidden, Unauthenticated
from app.headers import header
from app.login.gate import Gate
from app.texts import Language

PUBLIC = {"permission": "public"}
CITIZEN = {"permission": "citizen"}

ACTING_FOR = "X-Acting-For"
# In the state of a request: the officer who is logged in, also where this is not for them.
ASKING = "officer"
_ACTING_FOR = ACTING_FOR.lower().encode()
_SCHEME = "bearer "

Role = Literal["operator", "supervisor", "agency_head", "city_admin", "auditor"]
# case, attachment: the path names one, and the delegation must cover it. services: the handler holds what it shows and
# takes to the delegation's services. Any other route refuses whoever acts for somebody else.
ActingOn = Literal["case", "attachment", "services"]


def citizen(*, level: int = 1, acting: ActingOn | None = None) -> Mapping[str, object]:
    """For citizens whose session has this assurance level at least; others are told which level they need. `acting`:
    also for those who act for a citizen, on this."""
    return {**CITIZEN, "level": level, **({"acting": acting} if acting else {})}


def officer(*roles: Role) -> Mapping[str, object]:
    """For officers of these roles. Which agency's things they may touch is part of the handler's query."""
    if not roles:
        raise ValueError("a handler for officers names their roles")
    return {"permission": "officer", "roles": frozenset(roles)}


def officer_page(*roles: Role) -> Mapping[str, object]:
    """The same for a page: the session is a cookie's, and what changes anything must come from a form of ours."""
    return {**officer(*roles), "permission": "officer_page"}


# A page before login. Its forms, too, must be ours.
VISITOR_PAGE = {"permission": "visitor_page"}


class Caller(msgspec.Struct, frozen=True):
    """Whose request this is, as the verified access token says. `id` is the citizen's. With `acting` somebody else sent
    it, who may: `id` is still the citizen's, session and level are the sender's."""

    kind: Literal["citizen"]
    id: UUID
    session_id: UUID
    assurance_level: int
    acting: Acting | None = None

    @property
    def actor_id(self) -> UUID:
        """Who sent it."""
        return self.acting.actor_id if self.acting else self.id


class Officer(msgspec.Struct, frozen=True):
    """The officer who sent this request, as the account stands now. `agency` is "" for the whole city's; `language`:
    of their pages."""

    kind: Literal["officer"]
    id: UUID
    name: str
    agency: str
    role: Role
    session_id: UUID
    language: Language = "id"


# What a CITIZEN handler gets: `request.user` is who sent it. An officer's handler gets the other.
CitizenRequest = Request[Caller, Any, Any]
OfficerRequest = Request[Officer, Any, Any]


class ActingAsked(msgspec.Struct, frozen=True):
    """A request in which somebody wants to act for another: the delegation they name, and on what. `about`: the id in
    the path, where it names a thing of the other's."""

    token: str
    delegation: str
    method: str
    level: int
    on: ActingOn
    about: UUID | None


class DelegationDoor(ABC):
    """Knows who may act for whom. app.delegations implements it."""

    @abstractmethod
    async def act(self, asked: ActingAsked) -> Caller:
        """Whoever it is, on record before anything is shown. Raises Unauthenticated, Forbidden where the delegation is
        not theirs or does not hold, NotFound for what it does not cover."""


class OfficerDoor(ABC):
    """Knows officers by what they bring. app.login.officers implements it."""

    @abstractmethod
    async def by_token(self, token: str) -> Officer:
        """Raises Unauthenticated."""

    @abstractmethod
    async def by_page(self, request: Request[Any, Any, Any]) -> Officer:
        """Whose page this is. Raises Unauthenticated, Forbidden for what no form of ours sent."""

    @abstractmethod
    async def visit(self, request: Request[Any, Any, Any]) -> None:
        """Raises Forbidden for what no form of ours sent."""


async def guard(connection: Request[Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let the request in, or raise Unauthenticated or Forbidden. Runs before the body is read."""
    permission = handler.opt.get("permission")
    if (delegation := header(connection.scope, _ACTING_FOR)) is not None:
        connection.scope["user"] = await _delegate(connection, handler, delegation)
        return
    if permission == "public":
        return
    if permission == "citizen":
        connection.scope["user"] = await _citizen(connection, handler.opt.get("level", 1))
    elif permission in ("officer", "officer_page"):
        connection.scope["user"] = await _officer(connection, permission, handler.opt["roles"])
    elif permission == "visitor_page":
        await _door(connection).visit(connection)
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


async def _citizen(connection: Request[Any, Any, Any], level: int) -> Caller:
    gate: Gate = connection.app.state["gate"]
    claims = await gate.admit(_bearer(connection))
    if claims.assurance_level < level:
        raise Forbidden("assurance_level_too_low", params={"level": level})
    return Caller("citizen", claims.citizen_id, claims.session_id, claims.assurance_level)


async def _delegate(connection: Request[Any, Any, Any], handler: BaseRouteHandler, delegation: str) -> Caller:
    on = handler.opt.get("acting")
    if on is None or handler.opt.get("permission") != "citizen":
        raise Forbidden("acting_not_allowed")
    door: DelegationDoor = connection.app.state["delegations"]
    level = handler.opt.get("level", 1)
    about = connection.path_params.get(f"{on}_id")
    return await door.act(ActingAsked(_bearer(connection), delegation, connection.method, level, on, about))


async def _officer(connection: Request[Any, Any, Any], permission: str, roles: frozenset[Role]) -> Officer:
    door = _door(connection)
    found = await (door.by_page(connection) if permission == "officer_page" else door.by_token(_bearer(connection)))
    connection.scope["state"][ASKING] = found
    if found.role not in roles:
        raise Forbidden
    return found


def _door(connection: Request[Any, Any, Any]) -> OfficerDoor:
    door: OfficerDoor = connection.app.state["officer_door"]
    return door


def _bearer(connection: Request[Any, Any, Any]) -> str:
    authorization = header(connection.scope, b"authorization") or ""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("token_missing")
    return authorization[len(_SCHEME) :]

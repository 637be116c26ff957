"""HTTP of delegations: who may act for me, and for whom I may."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.answers import LOCATION, REPLAYED
from app.asking import SERVICE, asking
from app.cases.once import language_asked, once
from app.catalog.catalog import Catalog
from app.cursor import decode_cursor, encode_cursor
from app.database import Connection, Database
from app.delegations import actions
from app.delegations.counter import Person, Sought, seek
from app.delegations.offered import check_services
from app.delegations.officer_routes import OFFICER_ROUTES
from app.delegations.schemas import (
    DelegationPage,
    DelegationView,
    ForChild,
    NewDelegation,
    ServiceName,
    ShownState,
    Side,
)
from app.errors import FieldError, Unprocessable
from app.idempotency import FirstAnswer
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller, CitizenRequest, citizen
from app.login.models import NAME
from app.parameters import Cursor, Limit, NeededKey
from app.privacy import Vault
from app.problems import problems
from app.texts import Language, text

ASKED_A_DAY = 10
_DAY_S = 24 * 3600


@get(
    "/v1/me/delegations",
    opt=CITIZEN,
    operation_id="list_delegations",
    summary="Who may act for me and for whom I may, asked for, standing and ended",
    tags=["me"],
    responses=problems(),
)
async def list_delegations(
    request: CitizenRequest,
    database: NamedDependency[Database],
    language: NamedDependency[Language],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> DelegationPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    # The other side's name stands in a row of theirs.
    with asking(SERVICE):
        async with database.connection() as connection:
            rows = await actions.mine(connection, request.user.id, after, limit + 1)
    words = _words(request, language)
    shown = [words.view(row) for row in rows[:limit]]
    return DelegationPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > limit else None)


@post(
    "/v1/me/delegations",
    opt=citizen(level=2),
    operation_id="ask_for_delegation",
    summary="Ask somebody whether I may act for them",
    description="Whether anybody has that NIK is not told: whoever has is asked in their inbox, and may grant it "
    "within seven days. Needs an Idempotency-Key.",
    tags=["me"],
    response_headers=[LOCATION, REPLAYED],
    response_description="Asked for",
    responses=problems("assurance_level_too_low", 409, 413, 415, 422),
)
async def ask_for_delegation(
    data: JSONBody[NewDelegation], request: CitizenRequest, gate: NamedDependency[Gate], idempotency_key: NeededKey
) -> Response[DelegationView]:
    write, caller, vault = once(request), request.user, gate.vault
    check_services(data.services, request.app.state["catalog"])
    await gate.limiter.hit("delegations", str(caller.id), limit=ASKED_A_DAY, period_s=_DAY_S)
    wanted = actions.Asking(
        caller.id, vault.index("nik", data.nik), data.relation, list(dict.fromkeys(data.services)), data.days
    )

    async def work(connection: Connection) -> FirstAnswer:
        new = await actions.ask(connection, wanted)
        row = await actions.one_of_mine(connection, new, caller.id)
        view = _words(request, language_asked(request)).view(row)
        return FirstAnswer(201, msgspec.json.encode(view), {"Location": "/v1/me/delegations"})

    return await write.answer(work)


@post(
    "/v1/me/delegations/child",
    opt=citizen(level=2),
    operation_id="ask_for_child",
    summary="Ask to act for my child, who needs no account",
    description="An officer at the agency's counter confirms it who has seen the family card, and only where the "
    "population register knows the child. It ends on the 17th birthday at the latest. Needs an Idempotency-Key.",
    tags=["me"],
    response_headers=[LOCATION, REPLAYED],
    response_description="Asked for: the officer is told its id",
    responses=problems("assurance_level_too_low", 409, 413, 415, 422),
)
async def ask_for_child(
    data: JSONBody[ForChild], request: CitizenRequest, gate: NamedDependency[Gate], idempotency_key: NeededKey
) -> Response[DelegationView]:
    write, caller, catalog = once(request), request.user, request.app.state["catalog"]
    check_services(data.services, catalog)
    if data.agency not in {agency.id for agency in catalog.agencies()}:
        raise Unprocessable(errors=[FieldError("/agency", "agency_unknown")])
    await gate.limiter.hit("delegations", str(caller.id), limit=ASKED_A_DAY, period_s=_DAY_S)
    sought = Sought(
        person=Person(data.nik, data.name, data.birth_date),
        relation="child",
        services=list(dict.fromkeys(data.services)),
        days=data.days,
        agency=data.agency,
        delegate_id=caller.id,
    )

    async def work(connection: Connection) -> FirstAnswer:
        row = await actions.one_of_mine(connection, await seek(connection, gate, sought), caller.id)
        view = _words(request, language_asked(request)).view(row)
        return FirstAnswer(201, msgspec.json.encode(view), {"Location": "/v1/me/delegations"})

    return await write.answer(work)


@post(
    "/v1/me/delegations/{delegation_id:uuid}/grant",
    status_code=204,
    opt=citizen(level=2),
    operation_id="grant_delegation",
    summary="Let somebody act for me, as they asked",
    description="Needs no Idempotency-Key: what is granted is not asked for any more.",
    tags=["me"],
    responses=problems("assurance_level_too_low", "delegation_not_found"),
)
async def grant_delegation(
    delegation_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
) -> None:
    async with database.begin() as connection:
        await actions.grant(connection, delegation_id, caller.id)


@delete(
    "/v1/me/delegations/{delegation_id:uuid}",
    opt=CITIZEN,
    operation_id="end_delegation",
    summary="Refuse it, give it back or revoke it, whichever side I am",
    description="Holds at once, everywhere.",
    tags=["me"],
    responses=problems("delegation_not_found"),
)
async def end_delegation(
    delegation_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
) -> None:
    async with database.begin() as connection:
        await actions.end(connection, delegation_id, caller.id)


class _Words(msgspec.Struct, frozen=True):
    """What a view is made with."""

    citizen_id: UUID
    catalog: Catalog
    vault: Vault
    language: Language

    def view(self, row: Mapping[str, Any]) -> DelegationView:
        side: Side = "delegate" if row["delegate_id"] == self.citizen_id else "subject"
        state = _state(row)
        named = row["name_enc"] is not None and (side == "subject" or row["granted_at"] is not None)
        return DelegationView(
            id=row["id"],
            side=side,
            relation=row["relation"],
            state=state,
            state_text=text(f"delegation.state.{state}", self.language),
            other=self.vault.decrypt(row["name_enc"], NAME).decode() if named else None,
            services=[self._service(slug) for slug in row["services"]],
            days=row["days"],
            asked_at=row["created_at"],
            granted_at=row["granted_at"],
            expires_at=row["expires_at"],
            ended_at=row["ended_at"],
            ended_by=row["ended_by"] or None,
            acting_for=row["id"] if side == "delegate" and state == "active" else None,
        )

    def _service(self, slug: str) -> ServiceName:
        service = self.catalog.find(slug)
        return ServiceName(slug, service.title.into(self.language) if service else slug)


def _words(request: CitizenRequest, language: Language) -> _Words:
    state = request.app.state
    return _Words(request.user.id, state["catalog"], state["gate"].vault, language)


def _state(row: Mapping[str, Any]) -> ShownState:
    state: ShownState = row["state"]
    if (state == "active" and row["is_over"]) or (state == "asked" and row["is_too_late"]):
        return "expired"
    return state


ROUTES = [list_delegations, ask_for_delegation, ask_for_child, grant_delegation, end_delegation, *OFFICER_ROUTES]

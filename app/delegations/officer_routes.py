"""HTTP of delegations at a counter: asked for by an officer, confirmed by another who has seen the papers."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.answers import REPLAYED
from app.catalog.catalog import Catalog
from app.cursor import decode_cursor, encode_cursor
from app.database import Connection, Database
from app.delegations.counter import Person, Sought, confirm, seek, waiting
from app.delegations.offered import check_services
from app.delegations.schemas import AtCounter, Sent, WaitingDelegation, WaitingPage
from app.login.gate import Gate
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems

AT_A_COUNTER = officer("operator", "supervisor")
# A visit: whoever comes again signs again.
DAYS = 1


@get(
    "/v1/officer/delegations",
    opt=AT_A_COUNTER,
    operation_id="list_delegations_to_confirm",
    summary="Delegations that wait for an officer who has seen the papers",
    description="Of one's own agency's counters. Nobody is named: the citizen says the id.",
    tags=["officers"],
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_waiting(
    request: OfficerRequest, database: NamedDependency[Database], limit: Limit = 20, cursor: Cursor = None
) -> WaitingPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    async with database.connection() as connection:
        rows = await waiting(connection, request.user.agency, after, limit + 1)
    shown = [
        WaitingDelegation(
            id=row["id"],
            relation=row["relation"],
            services=row["services"],
            asked_at=row["created_at"],
            asked_by_me=row["officer_id"] == request.user.id,
        )
        for row in rows[:limit]
    ]
    return WaitingPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > limit else None)


@post(
    "/v1/officer/delegations",
    opt=AT_A_COUNTER,
    operation_id="ask_at_counter",
    summary="Ask to act for somebody who stands at the counter, for one day",
    description="For services of one's own agency. Another officer confirms it, who has seen their identity card and "
    "their signed word. Needs an Idempotency-Key.",
    tags=["officers"],
    response_headers=[REPLAYED],
    responses=problems("forbidden", 413, 415, 422),
)
async def ask_at_counter(
    data: JSONBody[AtCounter],
    request: OfficerRequest,
    gate: NamedDependency[Gate],
    catalog: NamedDependency[Catalog],
    idempotency_key: NeededKey,
) -> Response[Sent]:
    check_services(data.services, catalog, request.user.agency)
    sought = Sought(
        person=Person(data.nik, data.name, data.birth_date),
        relation="counter",
        services=data.services,
        days=DAYS,
        agency=request.user.agency,
        officer_id=request.user.id,
    )

    async def work(connection: Connection) -> Sent:
        return Sent(await seek(connection, gate, sought))

    return await created(request, gate, work)


@post(
    "/v1/officer/delegations/{delegation_id:uuid}/confirm",
    status_code=204,
    opt=AT_A_COUNTER,
    operation_id="confirm_delegation",
    summary="Confirm one whose papers I have seen, and that I did not ask for",
    tags=["officers"],
    responses=problems(
        "forbidden", "delegation_not_found", "person_not_matched", "person_not_a_child", "register_not_asked"
    ),
)
async def confirm_delegation(
    delegation_id: FromPath[UUID], request: OfficerRequest, gate: NamedDependency[Gate]
) -> None:
    await confirm(gate, request.user, delegation_id)


OFFICER_ROUTES = [list_waiting, ask_at_counter, confirm_delegation]

"""HTTP for the city's officers: what citizens asked about their data, by its clock; refusing a deletion by two."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from app.asking import SERVICE, asking
from app.audit.actions import AuditEntry, record_on
from app.cases.tools import CaseTools
from app.cursor import decode_cursor, encode_cursor
from app.database import Connection, utc_now
from app.errors import Conflict, Forbidden, NotFound
from app.login.guards import Officer, OfficerRequest, officer
from app.parameters import Cursor, Limit
from app.problems import problems
from app.rights.correcting import note_corrected
from app.rights.models import REASON
from app.rights.requests import BASIS, COLUMNS, PURPOSE, end, held_request, tell
from app.rights.restricting import release, stands
from app.rights.schemas import OfficersPage, OfficersRequest, PlaceOutcome, Refusal
from app.rights.views import places_of

TAGS = ["officers"]
READS, ACTS = officer("city_admin", "auditor"), officer("city_admin")
OverdueFilter = Annotated[bool, QueryParameter(description="Only those past their time.")]
_LIST = f"""
SELECT {COLUMNS} FROM data_requests WHERE (ended_at IS NULL OR (kind = 'restriction' AND state = 'done'))
    AND ($1::uuid IS NULL OR (due_at, id) > ((SELECT due_at FROM data_requests WHERE id = $1), $1))
    AND (NOT $2 OR (due_at < now() AND ended_at IS NULL))
ORDER BY due_at, id LIMIT $3
"""  # noqa: S608 - constants of ours
_PROPOSE = f"""
UPDATE data_requests SET refusal_proposed_by = $2, reason_enc = $3 WHERE id = $1 RETURNING {COLUMNS}
"""  # noqa: S608 - constants of ours
_REFUSED = "UPDATE data_requests SET refused_by = $2 WHERE id = $1"


@get(
    "/v1/officer/data-requests",
    opt=READS,
    operation_id="list_officers_data_requests",
    summary="What citizens asked about their data and has no answer yet, and whose data are restricted now",
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_data_requests(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    overdue: OverdueFilter = False,  # noqa: FBT002 - a query parameter, given by name
    limit: Limit = 20,
    cursor: Cursor = None,
) -> OfficersPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    async with cases.database.begin() as connection:
        rows = await connection.fetch(_LIST, after, overdue, limit + 1)
        for row in rows[:limit]:
            await _keep(connection, request.user, row, "data.request_read")
    shown = [_seen(row) for row in rows[:limit]]
    return OfficersPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > limit else None)


@post(
    "/v1/officer/data-requests/{request_id:uuid}/refusal",
    status_code=200,
    opt=ACTS,
    operation_id="refuse_data_deletion",
    summary="Refuse a deletion: the first officer proposes it, a second one decides",
    tags=TAGS,
    responses=problems("data_request_not_found", "data_request_ended", "four_eyes", "forbidden", 413, 415, 422),
)
async def refuse_deletion(
    request_id: FromPath[UUID],
    data: JSONBody[Refusal],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
) -> OfficersRequest:
    by = request.user
    # What follows changes the citizen's account, which no officer may by themselves.
    with asking(SERVICE):
        return await _refuse(cases, request_id, by, data.reason)


@post(
    "/v1/officer/data-requests/{request_id:uuid}/places",
    status_code=200,
    opt=ACTS,
    operation_id="note_data_corrected",
    summary="Note that an agency's system has the corrected data, or will not take it",
    tags=TAGS,
    responses=problems(
        "data_request_not_found", "data_request_ended", "data_place_not_found", "forbidden", 413, 415, 422
    ),
)
async def note_place(
    request_id: FromPath[UUID],
    data: JSONBody[PlaceOutcome],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
) -> OfficersRequest:
    async with cases.database.begin() as connection:
        row = await _open(connection, request_id, "correction")
        await _keep(connection, request.user, row, "data.place_noted")
        return _seen(await note_corrected(connection, row, data.system, data.state))


async def _refuse(cases: CaseTools, request_id: UUID, by: Officer, reason: str) -> OfficersRequest:
    async with cases.database.begin() as connection:
        row = await _open(connection, request_id, "deletion")
        proposed_by = row["refusal_proposed_by"]
        if proposed_by == by.id:
            raise Forbidden("four_eyes")
        sealed = cases.vault.encrypt(reason.encode(), REASON)
        if proposed_by is None:
            await _keep(connection, by, row, "data.refusal_proposed")
            return _seen(_known(await connection.fetchrow(_PROPOSE, row["id"], by.id, sealed)))
        await connection.execute(_REFUSED, row["id"], by.id)
        ended = await end(connection, row, "refused", code="refused_by_officers")
        await _keep(connection, by, row, "data.deletion_refused")
        await tell(connection, row, "refused")
        if not await stands(connection, row["citizen_id"]):
            await release(connection, row["citizen_id"])
    return _seen(ended)


async def _open(connection: Connection, request_id: UUID, kind: str) -> Mapping[str, Any]:
    """Raises NotFound, Conflict where it has ended or is being carried out."""
    row = await held_request(connection, request_id)
    if row["kind"] != kind:
        raise NotFound("data_request_not_found")
    if row["ended_at"] is not None or row["code"] == "scrubbing":
        raise Conflict("data_request_ended", params={"state": row["state"]})
    return row


async def _keep(connection: Connection, by: Officer, row: Mapping[str, Any], action: str) -> None:
    entry = AuditEntry(
        actor_kind="officer",
        actor_id=str(by.id),
        action=action,
        subject_id=row["citizen_id"],
        object_kind="data_request",
        object_id=str(row["id"]),
        purpose=PURPOSE,
        legal_basis=BASIS,
        fields=("data_request",),
    )
    await record_on(connection, entry)


def _known(row: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if row is None:
        raise NotFound("data_request_not_found")
    return row


def _seen(row: Mapping[str, Any]) -> OfficersRequest:
    return OfficersRequest(
        id=row["id"],
        citizen_id=row["citizen_id"],
        kind=row["kind"],
        state=row["state"],
        field=row["field"],
        code=row["code"],
        asked_at=row["asked_at"],
        due_at=row["due_at"],
        overdue=row["ended_at"] is None and row["due_at"] < utc_now(),
        refusal=row["refusal_proposed_by"] is not None and row["ended_at"] is None,
        places=places_of(row),
    )


OFFICER_ROUTES = [list_data_requests, refuse_deletion, note_place]

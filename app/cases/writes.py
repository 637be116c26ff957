"""The rows of cases, written in the caller's transaction through its driver connection.

Plain statements instead of ORM objects: handing in is the hottest write of the product, and costs a third this way.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.port import Status
from app.cases.timeline import Line, add_line
from app.cases.views import VIEW_COLUMNS
from app.database import Connection
from app.errors import NotFound, Unprocessable
from app.login.guards import Caller

CASE_COLUMNS = (
    "id, number, citizen_id, module, service, agency, backend, status, form_version, form_enc, delivery_state, due_on, "
    "submitted_at"
)
DELIVERY_COLUMNS = "id, case_id, backend, operation, lane, payload_enc"
_INSERT_CASE = f"""
INSERT INTO cases ({CASE_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING {VIEW_COLUMNS}
"""  # noqa: S608 - the columns are a constant of ours
_INSERT_DELIVERY = f"INSERT INTO deliveries ({DELIVERY_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - constants of ours
HELD_COLUMNS = f"{VIEW_COLUMNS}, citizen_id, form_version, form_enc, last_event"
_LOCK = f"""
SELECT {HELD_COLUMNS}
FROM cases WHERE id = $1 AND citizen_id = $2 FOR UPDATE
"""  # noqa: S608 - constants of ours
_TAKE_ATTACHMENTS = """
UPDATE attachments SET case_id = $1
WHERE id = ANY($2::uuid[]) AND citizen_id = $3 AND (case_id IS NULL OR case_id = $1)
    AND ($4::uuid IS NULL OR case_id = $1 OR delegation_id = $4)
RETURNING id, media_type, size
"""
_RELEASE_ATTACHMENTS = "UPDATE attachments SET case_id = NULL WHERE case_id = $1 AND id = ANY($2::uuid[])"


class CaseRow(msgspec.Struct, frozen=True):
    """What a new case is stored with."""

    id: UUID
    number: str
    citizen_id: UUID
    module: str
    service: str
    agency: str
    backend: str
    status: Status
    form_version: int
    form_enc: bytes
    delivery_state: str | None
    due_on: date | None
    submitted_at: datetime | None


class DeliveryRow(msgspec.Struct, frozen=True):
    """What is to be handed to a backend. `lane`: see app.cases.models.Delivery."""

    id: UUID
    case_id: UUID
    backend: str
    operation: str
    lane: bytes
    payload_enc: bytes | None = None


async def fetch_one(connection: Connection, statement: str, *given: Any) -> Mapping[str, Any]:
    """The one row of a statement that always gives one."""
    row: Mapping[str, Any] | None = await connection.fetchrow(statement, *given)
    if row is None:
        raise LookupError("a statement that always gives a row gave none")
    return row


async def insert_case(connection: Connection, case: CaseRow) -> Mapping[str, Any]:
    """Store a new case; returns its row with VIEW_COLUMNS."""
    return await fetch_one(connection, _INSERT_CASE, *msgspec.structs.astuple(case))


async def insert_delivery(connection: Connection, delivery: DeliveryRow) -> None:
    await connection.execute(_INSERT_DELIVERY, *msgspec.structs.astuple(delivery))


async def lock_own_case(connection: Connection, case_id: UUID, citizen_id: UUID) -> Mapping[str, Any]:
    """The citizen's case, its row held until the transaction ends. Raises NotFound, for another person's too."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_LOCK, case_id, citizen_id)
    if row is None:
        raise NotFound("case_not_found")
    return row


async def change_case(
    connection: Connection, row: Mapping[str, Any], line: Line | None, **values: Any
) -> Mapping[str, Any]:
    """Change columns of a case whose row is held, and tell it on the timeline. Returns the new row (VIEW_COLUMNS)."""
    if line is not None:
        values["last_event"] = await add_line(connection, row["id"], row["last_event"], line)
    columns = list(values)
    settings = ", ".join(f"{column} = ${place}" for place, column in enumerate(columns, start=2))
    given = [json.dumps(value) if isinstance(value, dict) else value for value in values.values()]
    return await fetch_one(
        connection,
        f"UPDATE cases SET {settings}, revision = revision + 1, updated_at = now() "  # noqa: S608 - column names are ours
        f"WHERE id = $1 RETURNING {VIEW_COLUMNS}",
        row["id"],
        *given,
    )


async def take_attachments(
    connection: Connection, case_id: UUID, caller: Caller, wanted: Sequence[UUID]
) -> Mapping[UUID, Mapping[str, Any]]:
    """Bind attachments to a case; their rows by id. Raises Unprocessable where one is not the citizen's, or is another
    case's; for who acts for them, where another sent it."""
    unique = set(wanted)
    if not unique:
        return {}
    sender = caller.acting.delegation_id if caller.acting else None
    rows = await connection.fetch(_TAKE_ATTACHMENTS, case_id, list(unique), caller.id, sender)
    taken = {row["id"]: row for row in rows}
    return usable(unique, taken)


def usable(wanted: Collection[UUID], taken: Mapping[UUID, Mapping[str, Any]]) -> Mapping[UUID, Mapping[str, Any]]:
    """`taken`, if it is all that was wanted. Raises Unprocessable."""
    if missing := sorted(str(each) for each in wanted if each not in taken):
        raise Unprocessable("attachment_not_usable", params={"attachments": ", ".join(missing)})
    return taken


async def release_attachments(connection: Connection, case_id: UUID, unwanted: Collection[UUID]) -> None:
    """Give attachments of a case back to their citizen, for another case or for nothing."""
    if unwanted:
        await connection.execute(_RELEASE_ATTACHMENTS, case_id, list(unwanted))

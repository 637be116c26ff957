"""Asking after a case that has come to an end only a person gets past: put before an officer, and taken back by itself
where the agency's next answer is a good one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.cases.timeline import Line
from app.cases.writes import HELD_COLUMNS, change_case
from app.database import Connection
from app.errors import AgencyError, AgencyRejected, OutcomeUnknown
from app.ids import uuid7

_HOLD = f"SELECT {HELD_COLUMNS} FROM cases WHERE id = $1 FOR UPDATE"  # noqa: S608 - constants of ours
# The lane is the case itself: nothing over there could be mistaken for it.
_OPEN = """
INSERT INTO deliveries (id, case_id, backend, operation, lane, state, reason, detail, reference, finished_at)
SELECT $1, id, backend, 'follow', uuid_send(id), 'needs_operator', $3, $4, agency_reference, now()
FROM cases WHERE id = $2
ON CONFLICT (case_id) WHERE operation = 'follow' AND state = 'needs_operator' DO NOTHING RETURNING 1
"""
_CLOSE = """
UPDATE deliveries SET state = 'delivered', finished_at = now(), detail = 'the agency answers well again'
WHERE case_id = $1 AND operation = 'follow' AND state = 'needs_operator'
"""
_MOST_DETAIL = 500


def is_for_officers(error: AgencyError) -> bool:
    """Whether asking again will not help: two matters under one number, or a number the agency does not know."""
    return isinstance(error, OutcomeUnknown | AgencyRejected)


async def put_before_officer(connection: Connection, case_id: UUID, error: AgencyError) -> bool:
    """In the caller's transaction, once for as long as it stands; whether it is new. The citizen is told on the
    timeline: what is shown of the case may be behind."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_HOLD, case_id)
    if row is None:
        return False
    reason = error.code or "cannot_tell"
    if await connection.fetchval(_OPEN, uuid7(), case_id, reason, error.detail[:_MOST_DETAIL]) is None:
        return False
    await change_case(connection, row, Line("being_checked", row["status"]))
    return True


async def take_back(connection: Connection, case_id: UUID) -> None:
    """The agency answers well again: nothing waits for an officer any more."""
    await connection.execute(_CLOSE, case_id)

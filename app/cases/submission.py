"""Storing a case that is handed in at once: case, first line, delivery, audit row and attachments in one statement.

The same rows that actions writes one by one for a draft; here every citizen waits for them, and each statement costs.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.audit.actions import AUDIT_COLUMNS, AuditEntry, values_of
from app.cases.views import VIEW_COLUMNS
from app.cases.writes import CASE_COLUMNS, DELIVERY_COLUMNS, CaseRow, DeliveryRow, fetch_one, usable
from app.database import Connection


def _places(first: int, count: int) -> str:
    return ", ".join(f"${place}" for place in range(first, first + count))


_CASE = len(CaseRow.__struct_fields__)
_DELIVERY = len(DeliveryRow.__struct_fields__)
_AUDIT = len(AuditEntry.__struct_fields__) + 1
_FILES = _CASE + _DELIVERY + _AUDIT + 1
# Foreign keys are checked when the whole statement ends, so the parts may name each other's rows.
_STORE = f"""
WITH stored AS (
    INSERT INTO cases ({CASE_COLUMNS}) VALUES ({_places(1, _CASE)}) RETURNING {VIEW_COLUMNS}
), line AS (
    INSERT INTO case_events (case_id, seq, kind, status) VALUES ($1, 1, 'submitted', 'submitted')
), delivery AS (
    INSERT INTO deliveries ({DELIVERY_COLUMNS}) VALUES ({_places(_CASE + 1, _DELIVERY)})
), audited AS (
    INSERT INTO audit_rows ({AUDIT_COLUMNS}) VALUES ({_places(_CASE + _DELIVERY + 1, _AUDIT)})
), taken AS (
    UPDATE attachments SET case_id = $1
    WHERE id = ANY(${_FILES}::uuid[]) AND citizen_id = $3 AND case_id IS NULL RETURNING id, media_type, size
)
SELECT stored.*, (SELECT jsonb_agg(to_jsonb(taken)) FROM taken) AS taken FROM stored
"""  # noqa: S608 - constants of ours


class Submission(msgspec.Struct, frozen=True):
    """All that a case brings with it when it is handed in."""

    case: CaseRow
    delivery: DeliveryRow
    audit: AuditEntry
    attachments: Sequence[UUID]


async def store_submission(
    connection: Connection, submission: Submission
) -> tuple[Mapping[str, Any], Mapping[UUID, Mapping[str, Any]]]:
    """The case's row (VIEW_COLUMNS), and the rows of its attachments by id. Raises Unprocessable for an attachment that
    is not the citizen's, or is another case's."""
    wanted = set(submission.attachments)
    row = await fetch_one(
        connection,
        _STORE,
        *msgspec.structs.astuple(submission.case),
        *msgspec.structs.astuple(submission.delivery),
        *values_of(submission.audit),
        list(wanted),
    )
    return row, usable(wanted, {UUID(each["id"]): each for each in row["taken"] or ()})

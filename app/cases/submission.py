"""What a case is stored with when it is handed in: case, first line, delivery, audit row and attachments as parts of
one statement, for every citizen waits for them, and each statement costs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.audit.actions import AUDIT_COLUMNS, AuditEntry, values_of
from app.cases.views import VIEW_COLUMNS
from app.cases.writes import CASE_COLUMNS, DELIVERY_COLUMNS, CaseRow, DeliveryRow, fetch_one, usable
from app.database import Connection


class Submission(msgspec.Struct, frozen=True):
    """All that a case brings with it when it is handed in."""

    case: CaseRow
    delivery: DeliveryRow
    audit: AuditEntry
    attachments: Sequence[UUID]

    @property
    def wanted(self) -> set[UUID]:
        return set(self.attachments)

    def values(self) -> tuple[object, ...]:
        """What the parts are given, in the order of their places."""
        rows = (*msgspec.structs.astuple(self.case), *msgspec.structs.astuple(self.delivery), *values_of(self.audit))
        return *rows, list(self.wanted)


def places(first: int, count: int) -> str:
    return ", ".join(f"${place}" for place in range(first, first + count))


_CASE = len(CaseRow.__struct_fields__)
_DELIVERY = len(DeliveryRow.__struct_fields__)
_AUDIT = len(AuditEntry.__struct_fields__) + 1
# The place after which others may put their own.
LAST_PLACE = _CASE + _DELIVERY + _AUDIT + 1


def submission_parts(times: str, source: str) -> str:
    """Parts of a WITH that store a submission for the row of `source` (a FROM, or nothing), created at `times`.

    Foreign keys are checked when the whole statement ends, so the parts may name each other's rows.
    """
    return f"""stored AS (
    INSERT INTO cases ({CASE_COLUMNS}, created_at, updated_at)
    SELECT {places(1, _CASE)}, {times} {source} RETURNING {VIEW_COLUMNS}
), line AS (
    INSERT INTO case_events (case_id, seq, kind, status) SELECT id, 1, 'submitted', 'submitted' FROM stored
), delivery AS (
    INSERT INTO deliveries ({DELIVERY_COLUMNS}) SELECT {places(_CASE + 1, _DELIVERY)} {source}
), audited AS (
    INSERT INTO audit_rows ({AUDIT_COLUMNS}) SELECT {places(_CASE + _DELIVERY + 1, _AUDIT)} {source}
), taken AS (
    UPDATE attachments SET case_id = stored.id FROM stored
    WHERE attachments.id = ANY(${LAST_PLACE}::uuid[]) AND attachments.citizen_id = $3 AND case_id IS NULL
    RETURNING attachments.id, media_type, size
)"""  # noqa: S608 - constants of ours


_STORE = f"""
WITH {submission_parts("now(), now()", "")}
SELECT stored.*, (SELECT jsonb_agg(to_jsonb(taken)) FROM taken) AS taken FROM stored
"""  # noqa: S608 - constants of ours


async def store_submission(
    connection: Connection, submission: Submission
) -> tuple[Mapping[str, Any], Mapping[UUID, Mapping[str, Any]]]:
    """The case's row (VIEW_COLUMNS), and the rows of its attachments by id. Raises Unprocessable for an attachment that
    is not the citizen's, or is another case's."""
    row = await fetch_one(connection, _STORE, *submission.values())
    return row, listed_files(row["taken"], submission.wanted)


def listed_files(
    listed: Sequence[Mapping[str, Any]] | None, wanted: Collection[UUID]
) -> Mapping[UUID, Mapping[str, Any]]:
    """Attachments as a statement lists them in JSON, by id. Raises Unprocessable where a wanted one is missing."""
    return usable(wanted, {UUID(each["id"]): each for each in listed or ()})

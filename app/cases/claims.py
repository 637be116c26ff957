"""Claiming a delivery for one try, and writing what came of it; the claim's fence makes it the only one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.cases.casedata import CASE_DATA_COLUMNS, FILES_COLUMN
from app.cases.port import Receipt, Status
from app.database import Connection

# Longer than any operation's budget: while a worker lives, nobody else takes its delivery.
LEASE_S = 30

# One statement, so one round trip and one commit: the delivery is taken, the case says so, the audit record has who is
# about to be told to whom, and the worker gets all it needs. The case is locked before the delivery, as everywhere.
_CLAIM = f"""
WITH standing AS (
    SELECT cases.id AS standing_id FROM cases JOIN deliveries ON deliveries.case_id = cases.id WHERE deliveries.id = $1
    FOR UPDATE OF cases
), taken AS (
    UPDATE deliveries SET state = 'delivering', fence = fence + 1, attempts = attempts + 1,
        lease_until = now() + make_interval(secs => $2), first_tried_at = coalesce(first_tried_at, now()),
        sent_at = CASE WHEN unknown OR state = 'delivering' THEN sent_at ELSE now() END,
        unknown = unknown OR state = 'delivering', next_try_at = NULL
    FROM standing
    WHERE case_id = standing_id AND id = $1 AND state IN ('queued', 'delivering')
        AND (lease_until IS NULL OR lease_until < now())
    RETURNING id, case_id, backend, operation, lane, payload_enc, unknown, attempts, fence, first_tried_at,
        extract(epoch FROM now() - sent_at)::float AS sent_s_ago
), told AS (
    UPDATE cases SET delivery_state = 'delivering' FROM taken
    WHERE cases.id = taken.case_id AND taken.operation = 'submit'
), audited AS (
    INSERT INTO audit_rows
        (actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields)
    SELECT 'job', 'deliver.' || taken.backend, 'case.sent', cases.citizen_id, 'case', cases.id::text, cases.service,
        'uu-25-2009', '["name", "phone", "form", "attachments"]'::jsonb
    FROM taken JOIN cases ON cases.id = taken.case_id
)
SELECT taken.*, {CASE_DATA_COLUMNS}, {FILES_COLUMN}
FROM taken JOIN cases ON cases.id = taken.case_id JOIN citizens ON citizens.id = cases.citizen_id
"""  # noqa: S608 - constants of ours
_STATE = "SELECT state, extract(epoch FROM lease_until - now())::float AS lease_s FROM deliveries WHERE id = $1"
_SETTLE = """
UPDATE deliveries SET state = $3::text, unknown = $4, reference = coalesce($5, reference), reason = $6, detail = $7,
    lease_until = NULL, next_try_at = CASE WHEN $8::float IS NULL THEN NULL ELSE now() + make_interval(secs => $8) END,
    attempts = attempts - $9, finished_at = CASE WHEN $3::text IN ('queued', 'delivering') THEN NULL ELSE now() END
WHERE id = $1 AND fence = $2 RETURNING 1
"""
_SENDING_AGAIN = "UPDATE deliveries SET sent_at = now() WHERE id = $1 AND fence = $2 RETURNING 1"
_OTHERS_UNRESOLVED = """
SELECT EXISTS (
    SELECT 1 FROM deliveries WHERE lane = $1 AND id <> $2 AND state = 'needs_operator' AND operation = 'submit'
)
"""
_LINKED = """
SELECT agency_reference FROM cases WHERE backend = $1 AND agency_reference IS NOT NULL
ORDER BY submitted_at DESC LIMIT 5000
"""


class Claim(msgspec.Struct, frozen=True):
    """One try of one delivery. `unknown`: an earlier try's outcome is not known, look before sending. `row` has
    CASE_DATA_COLUMNS and FILES_COLUMN of the case beside."""

    id: UUID
    case_id: UUID
    backend: str
    operation: str
    lane: bytes
    payload_enc: bytes | None
    unknown: bool
    attempts: int
    fence: int
    first_tried_at: datetime
    sent_s_ago: float
    row: Mapping[str, Any]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a try. `product` and `status` as in a Receipt; `retry_in_s` for what is to be tried again;
    `uncounted` where the backend was not asked."""

    state: str
    unknown: bool = False
    reference: str | None = None
    reason: str | None = None
    detail: str | None = None
    product: Mapping[str, str] = {}
    status: Status | None = None
    retry_in_s: float | None = None
    uncounted: bool = False


def delivered(receipt: Receipt) -> Outcome:
    """The outcome of a receipt."""
    told = "; ".join(f"{name}: {value}" for name, value in receipt.details.items())
    return Outcome(
        state="delivered",
        reference=receipt.reference,
        detail=told or None,
        product=receipt.product,
        status=receipt.status,
    )


class Busy(Exception):
    """The delivery, or its lane, is another worker's for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("busy")
        self.seconds = seconds


class Stale(Exception):
    """This worker was paused past its lease: the delivery is another's now, and nothing was written."""


async def claim(connection: Connection, delivery_id: UUID, lease_s: float = LEASE_S) -> Claim | None:
    """Take the delivery for one try; None where it is settled. Raises Busy while it or its lane is taken."""
    try:
        row = await connection.fetchrow(_CLAIM, delivery_id, lease_s)
    except (asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        # Another delivery of the lane is under way, or somebody holds the case for long.
        raise Busy(0.5) from None
    if row is not None:
        return Claim(**{name: row[name] for name in Claim.__struct_fields__[:-1]}, row=row)
    standing = await connection.fetchrow(_STATE, delivery_id)
    if standing is None or standing["state"] not in ("queued", "delivering"):
        return None
    raise Busy(max(0.5, min(standing["lease_s"] or 0.5, float(LEASE_S))))


async def settle(connection: Connection, held: Claim, outcome: Outcome) -> None:
    """Write what came of the try. Raises Stale where the claim is not the newest any more."""
    written = await connection.fetchval(
        _SETTLE,
        held.id,
        held.fence,
        outcome.state,
        outcome.unknown,
        outcome.reference,
        outcome.reason,
        outcome.detail,
        outcome.retry_in_s,
        1 if outcome.uncounted else 0,
    )
    if written is None:
        raise Stale


async def send_again(connection: Connection, held: Claim) -> None:
    """Note that it leaves once more. Raises Stale where the claim is not the newest: then it must not leave."""
    if await connection.fetchval(_SENDING_AGAIN, held.id, held.fence) is None:
        raise Stale


async def lane_is_murky(connection: Connection, held: Claim) -> bool:
    """Whether another delivery of the lane waits for an operator: a registration found now could be that one's."""
    return bool(await connection.fetchval(_OTHERS_UNRESOLVED, held.lane, held.id))


async def linked_references(connection: Connection, backend: str) -> list[str]:
    """The newest agency references that already belong to cases. Backends list their newest registrations, so older
    ones cannot be mistaken for a new one."""
    rows: list[Mapping[str, Any]] = await connection.fetch(_LINKED, backend)
    return [row["agency_reference"] for row in rows]

"""Claiming a delivery for one try, and writing what came of it; the claim's fence makes it the only one."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from app.cases.attempts import NOTHING, Said
from app.cases.casedata import CASE_DATA_COLUMNS, FILES_COLUMN
from app.cases.port import Receipt, Status
from app.database import Connection
from app.exchanges import Exchanges

# Longer than any operation's budget: while a worker lives, nobody else takes its delivery.
LEASE_S = 30
# A worker stops sending so long before its lease ends: its clock and PostgreSQL's need not run alike.
MARGIN_S = 1.0
# A citizen's restriction: whoever lifts it wakes what waits.
RESTRICTED_S = 60.0

# One statement, so one round trip and one commit: the delivery is taken, the case says so, the try is on record, the
# audit record has who is about to be told to whom, and the worker gets all it needs. The case is locked before the
# delivery, as everywhere, and read under its lock: who waited for it gets what stands then. `surprises`: earlier tries,
# since anybody looked into it, that ended in no foreseen way.
_CLAIM = f"""
WITH standing AS (
    SELECT cases.id AS standing_id, {CASE_DATA_COLUMNS}, {FILES_COLUMN}
    FROM cases JOIN deliveries ON deliveries.case_id = cases.id JOIN citizens ON citizens.id = cases.citizen_id
    WHERE deliveries.id = $1 FOR UPDATE OF cases
), taken AS (
    UPDATE deliveries SET state = 'delivering', fence = fence + 1, attempts = attempts + 1,
        lease_until = now() + make_interval(secs => $2), first_tried_at = coalesce(first_tried_at, now()),
        sent_at = CASE WHEN unknown OR state = 'delivering' THEN sent_at ELSE now() END,
        unknown = unknown OR state = 'delivering', next_try_at = NULL
    FROM standing
    WHERE case_id = standing_id AND id = $1 AND state IN ('queued', 'delivering')
        AND (lease_until IS NULL OR lease_until < now()) AND restricted_at IS NULL
    RETURNING id, case_id, backend, operation, lane, payload_enc, unknown, attempts, fence, first_tried_at,
        extract(epoch FROM now() - sent_at)::float AS sent_s_ago,
        extract(epoch FROM sent_at - first_tried_at)::float AS sent_after_s
), told AS (
    UPDATE cases SET delivery_state = 'delivering' FROM taken
    WHERE cases.id = taken.case_id AND taken.operation = 'submit'
), intended AS (
    INSERT INTO delivery_attempts (delivery_id, number, operation, backend, unknown)
    SELECT id, fence, operation, backend, unknown FROM taken
), audited AS (
    INSERT INTO audit_rows
        (actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields)
    SELECT 'job', 'deliver.' || taken.backend, 'case.sent', citizen_id, 'case', case_id::text, service,
        coalesce($3::jsonb -> service ->> 'basis', 'uu-25-2009'),
        coalesce($3::jsonb -> service -> 'fields', '["name", "phone", "form", "attachments"]'::jsonb)
    FROM taken JOIN standing ON standing_id = case_id
)
SELECT taken.*, (
    SELECT count(*) FROM delivery_attempts AS earlier WHERE earlier.delivery_id = taken.id
        AND earlier.number > taken.fence - taken.attempts AND (earlier.outcome IS NULL OR earlier.outcome = 'failed')
) AS surprises, standing.*
FROM taken JOIN standing ON standing_id = case_id
"""  # noqa: S608 - constants of ours
_STATE = """
SELECT state, extract(epoch FROM lease_until - now())::float AS lease_s, restricted_at IS NOT NULL AS is_restricted
FROM deliveries JOIN cases ON cases.id = case_id JOIN citizens ON citizens.id = citizen_id WHERE deliveries.id = $1
"""


def noted_part(outcome: str, first: int) -> str:
    """SQL that completes the try of a delivery just settled, as a part of a WITH after `settled`, which has id, fence,
    reason and detail. `said_values` go from place `first` on."""
    calls, status, exchanges = (f"${place}" for place in range(first, first + 3))
    return f"""
    UPDATE delivery_attempts SET finished_at = clock_timestamp(), outcome = {outcome}, reason = settled.reason,
        detail = settled.detail, calls = {calls}, http_status = {status}, exchanges_enc = {exchanges}
    FROM settled WHERE delivery_id = settled.id AND number = settled.fence
    """  # noqa: S608 - constants of ours


_SETTLE = f"""
WITH settled AS (
    UPDATE deliveries SET state = $3::text, unknown = $4, reference = coalesce($5, reference), reason = $6, detail = $7,
        lease_until = NULL,
        next_try_at = CASE WHEN $8::float IS NULL THEN NULL ELSE now() + make_interval(secs => $8) END,
        attempts = attempts - $9, finished_at = CASE WHEN $3::text IN ('queued', 'delivering') THEN NULL ELSE now() END
    WHERE id = $1 AND fence = $2 RETURNING id, fence, reason, detail
), noted AS ({noted_part("$10", 11)})
SELECT 1 FROM settled
"""  # noqa: S608 - constants of ours
_SENDING_AGAIN = "UPDATE deliveries SET sent_at = now() WHERE id = $1 AND fence = $2 RETURNING 1"
_OTHERS_UNRESOLVED = """
SELECT EXISTS (
    SELECT 1 FROM deliveries WHERE lane = $1 AND id <> $2 AND state = 'needs_operator' AND operation = 'submit'
)
"""
# A clock that is set back makes later look like earlier: what was given at about the same time counts as given since.
CLOCK_STEP_S = 60
# What an officer linked by hand says nothing of when the agency gave it.
_GIVEN = f"""
WITH ours AS (
    SELECT sent_at, sent_at - interval '{CLOCK_STEP_S} seconds' AS surely_before FROM deliveries WHERE id = $1
)
SELECT sent_at, ARRAY(
    SELECT reference FROM deliveries
    WHERE backend = $2 AND operation = 'submit' AND state = 'delivered' AND reason IS NULL AND reference IS NOT NULL
        AND finished_at < (SELECT surely_before FROM ours)
    ORDER BY finished_at DESC LIMIT 30
) AS before, ARRAY(
    SELECT agency_reference FROM deliveries JOIN cases ON cases.id = case_id
    WHERE deliveries.backend = $2 AND operation = 'submit' AND state = 'delivered' AND agency_reference IS NOT NULL
        AND finished_at >= (SELECT surely_before FROM ours)
) AS since
FROM ours
"""  # noqa: S608 - constants of ours


class Claim(msgspec.Struct, frozen=True):
    """One try of one delivery. `unknown`: an earlier try's outcome is not known, look before sending. `sent_after_s`:
    how long after the first try the newest sending was. `row` has CASE_DATA_COLUMNS and FILES_COLUMN of the case
    beside. `said` fills with what is said to the backend."""

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
    sent_after_s: float
    surprises: int
    row: Mapping[str, Any]
    said: Exchanges


class Given(msgspec.Struct, frozen=True):
    """References that a backend gave others: the newest `before` a sending may have reached it, and all `since`."""

    sent_at: datetime
    before: Sequence[str]
    since: Sequence[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a try. `product` and `status` as in a Receipt; `retry_in_s` for what is to be tried again;
    `uncounted` where the backend was not asked; `attempt` what the record calls a try that is not the last."""

    state: str
    attempt: Literal["", "unavailable", "failed", "waited"] = ""
    unknown: bool = False
    reference: str | None = None
    reason: str | None = None
    detail: str | None = None
    product: Mapping[str, str] = {}
    status: Status | None = None
    retry_in_s: float | None = None
    uncounted: bool = False
    said: Said = NOTHING

    @property
    def of_attempt(self) -> str:
        """The outcome as the record of tries has it."""
        return self.attempt or ("unknown" if self.state in ("queued", "delivering") else self.state)


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


async def claim(connection: Connection, delivery_id: UUID, lease_s: float = LEASE_S, told: str = "{}") -> Claim | None:
    """Take the delivery for one try; None where it is settled. Raises Busy while it or its lane is taken.

    `told`: for the record, by service on which basis what is sent (`CaseTools.told`).
    """
    ends_at_s = time.monotonic() + lease_s - MARGIN_S
    try:
        row = await connection.fetchrow(_CLAIM, delivery_id, lease_s, told)
    except (asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        # Another delivery of the lane is under way, or somebody holds the case for long.
        raise Busy(0.25) from None
    if row is not None:
        return Claim(**{name: row[name] for name in Claim.__struct_fields__[:-2]}, row=row, said=Exchanges(ends_at_s))
    standing = await connection.fetchrow(_STATE, delivery_id)
    if standing is None or standing["state"] not in ("queued", "delivering"):
        return None
    if standing["is_restricted"]:
        raise Busy(RESTRICTED_S)
    raise Busy(max(0.25, min(standing["lease_s"] or 0.25, float(LEASE_S))))


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
        outcome.of_attempt,
        *said_values(outcome),
    )
    if written is None:
        raise Stale


def said_values(outcome: Outcome) -> tuple[int, int | None, bytes | None]:
    """What `noted_part` is given."""
    return outcome.said.calls, outcome.said.http_status, outcome.said.exchanges_enc


async def send_again(connection: Connection, held: Claim) -> None:
    """Note that it leaves once more. Raises Stale where the claim is not the newest: then it must not leave."""
    if await connection.fetchval(_SENDING_AGAIN, held.id, held.fence) is None:
        raise Stale


async def lane_is_murky(connection: Connection, held: Claim) -> bool:
    """Whether another delivery of the lane waits for an operator: a registration found now could be that one's."""
    return bool(await connection.fetchval(_OTHERS_UNRESOLVED, held.lane, held.id))


async def given_to_others(connection: Connection, held: Claim) -> Given:
    """What bounds the search for a lost registration: it is newer than `before`, and none of `since`."""
    [row] = await connection.fetch(_GIVEN, held.id, held.backend)
    return Given(row["sent_at"], row["before"], row["since"])

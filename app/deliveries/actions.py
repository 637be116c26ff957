"""What an officer does about a delivery: try it again, or say how it ended; each in one transaction, with a reason."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from app.backends.actions import QUEUE_PREFIX
from app.cases.by_hand import end_by_hand
from app.cases.handover import DeliveryJob
from app.cases.immediate import is_immediate
from app.cases.settle import hold
from app.cases.timeline import Line
from app.cases.tools import CaseTools
from app.cases.writes import change_case
from app.database import Connection
from app.deliveries.acting import Acting, Deed, note
from app.deliveries.four_eyes import PREFIX, is_agreed, refuse_impossible
from app.deliveries.schemas import ManyRetried, Refused, Resolution, RetriedMany
from app.errors import Conflict, FieldError, LoketError, NotFound, Unprocessable
from app.jobs import enqueue_now

MOST_AT_ONCE = 100
# Those that cannot be tried again stand in nobody's way, up to so many.
MOST_LOOKED_AT = 1000

# The case is locked before the delivery, as everywhere.
_HOLD_CASE = """
SELECT cases.id FROM cases JOIN deliveries ON deliveries.case_id = cases.id
WHERE deliveries.id = $1 AND ($2 = '' OR cases.agency = $2) FOR UPDATE OF cases
"""
_HOLD = """
SELECT deliveries.*, cases.citizen_id, cases.service, cases.status, coalesce(lease_until > now(), false) AS under_way
FROM deliveries JOIN cases ON cases.id = case_id WHERE deliveries.id = $1 FOR UPDATE OF deliveries
"""
# Tried as if for the first time, under a new fence. What may have arrived keeps its lane and is looked up.
_AGAIN = """
UPDATE deliveries SET state = CASE WHEN $2 THEN 'delivering' ELSE 'queued' END, unknown = $2, attempts = 0,
    first_tried_at = now(), sent_at = CASE WHEN $2 THEN sent_at END, fence = fence + 1, lease_until = NULL,
    next_try_at = now(), finished_at = NULL, reason = NULL WHERE id = $1
"""
_ASK_NOW = "UPDATE cases SET next_refresh_at = now() WHERE id = $1 AND next_refresh_at IS NOT NULL"
_OLDEST = """
SELECT deliveries.id FROM deliveries JOIN cases ON cases.id = case_id
WHERE state = 'needs_operator' AND deliveries.backend = $1 AND ($2 = '' OR agency = $2) AND deliveries.id > $3
ORDER BY deliveries.id LIMIT $4
"""
_LEFT = """
SELECT count(*) FROM deliveries JOIN cases ON cases.id = case_id
WHERE state = 'needs_operator' AND deliveries.backend = $1 AND ($2 = '' OR agency = $2)
"""
_FIRST = UUID(int=0)


async def retry(connection: Connection, acting: Acting, delivery_id: UUID, reason: str, tools: CaseTools) -> UUID:
    """Try it now; the case's id. Raises NotFound, for another agency's too, or Conflict where it cannot be tried."""
    row = await _held(connection, acting, delivery_id)
    _refuse_settled(row)
    if row["reason"] == "reference_taken":
        # It stands over there under a number that another case has: sent again, it would stand there twice.
        raise Conflict("delivery_needs_decision")
    await note(connection, acting, row, Deed("retry", reason), tools.vault)
    if row["operation"] == "follow":
        await connection.execute(_ASK_NOW, row["case_id"])
    else:
        # Its worker may have died over it: then nobody has written yet that it may have arrived.
        await _again(connection, row, unknown=row["unknown"] or row["state"] == "delivering")
    return UUID(str(row["case_id"]))


async def resolve(
    connection: Connection, acting: Acting, delivery_id: UUID, resolution: Resolution, tools: CaseTools
) -> UUID:
    """Say how it ended, which counts once another officer says the same; the case's id.

    Raises NotFound, Conflict, or Unprocessable where the agency's number lacks.
    """
    row = await _held(connection, acting, delivery_id)
    _refuse_settled(row)
    if resolution.outcome == "send_again":
        if row["operation"] == "follow" or is_immediate(row["service"], tools):
            raise Conflict("delivery_not_sent_later")
        await _again(connection, row, unknown=False)
    else:
        needs_reference = resolution.outcome == "delivered" and row["operation"] in ("submit", "follow")
        if needs_reference and resolution.reference is None:
            raise Unprocessable(errors=[FieldError("/reference", "required")])
        if not await is_agreed(connection, acting, delivery_id, resolution):
            await refuse_impossible(connection, row, resolution.outcome, resolution.reference)
            deed = Deed(f"{PREFIX}{resolution.outcome}", resolution.reason, resolution.reference)
            await note(connection, acting, row, deed, tools.vault)
            return UUID(str(row["case_id"]))
        words = tools.vault.seal(resolution.reason)
        await end_by_hand(connection, row, resolution.outcome, resolution.reference, words)
    deed = Deed(resolution.outcome, resolution.reason, resolution.reference)
    await note(connection, acting, row, deed, tools.vault)
    return UUID(str(row["case_id"]))


async def retry_many(connection: Connection, acting: Acting, asked: ManyRetried, tools: CaseTools) -> RetriedMany:
    """Each by itself: one that cannot be tried again is left, and named."""
    done = RetriedMany([], [], 0)
    for delivery_id in sorted(set(asked.ids)):
        _note(done, delivery_id, await _refusal(connection, acting, delivery_id, asked.reason, tools))
    if not asked.backend:
        return done
    last = _FIRST
    for _ in range(MOST_LOOKED_AT // MOST_AT_ONCE):
        most = MOST_AT_ONCE - len(done.retried)
        oldest = await connection.fetch(_OLDEST, asked.backend, acting.agency, last, most)
        for row in oldest:
            _note(done, row["id"], await _refusal(connection, acting, row["id"], asked.reason, tools))
        if len(oldest) < most or len(done.retried) >= MOST_AT_ONCE:
            break
        last = oldest[-1]["id"]
    done.left = await connection.fetchval(_LEFT, asked.backend, acting.agency)
    return done


async def _refusal(connection: Connection, acting: Acting, delivery_id: UUID, reason: str, tools: CaseTools) -> str:
    """Try it again by itself; why it cannot be, "" where it is."""
    try:
        async with connection.transaction():
            await retry(connection, acting, delivery_id, reason, tools)
    except LoketError as refusal:
        return refusal.code
    return ""


def _note(done: RetriedMany, delivery_id: UUID, refusal: str) -> None:
    if refusal:
        done.refused.append(Refused(delivery_id, refusal))
    else:
        done.retried.append(delivery_id)


async def _held(connection: Connection, acting: Acting, delivery_id: UUID) -> Mapping[str, Any]:
    if await connection.fetchval(_HOLD_CASE, delivery_id, acting.agency) is None:
        raise NotFound("delivery_not_found")
    row: Mapping[str, Any] | None = await connection.fetchrow(_HOLD, delivery_id)
    if row is None:
        raise NotFound("delivery_not_found")
    return row


def _refuse_settled(row: Mapping[str, Any]) -> None:
    if row["state"] in ("delivered", "rejected"):
        raise Conflict("delivery_settled")
    if row["under_way"]:
        raise Conflict("delivery_under_way", retry_after_s=30)


async def _again(connection: Connection, row: Mapping[str, Any], *, unknown: bool) -> None:
    try:
        async with connection.transaction():
            await connection.execute(_AGAIN, row["id"], unknown)
    except asyncpg.UniqueViolationError:
        # Another delivery of the lane is under way: what is found over there now could be that one's.
        raise Conflict("delivery_lane_busy", retry_after_s=30) from None
    await enqueue_now(
        connection, QUEUE_PREFIX + row["backend"], DeliveryJob(row["id"], row["operation"]), dedupe=str(row["id"])
    )
    if row["operation"] != "submit":
        return
    case = await hold(connection, row["case_id"])
    waited_for_officer = row["state"] == "needs_operator"
    line = Line("tried_again", case["status"]) if waited_for_officer else None
    await change_case(connection, case, line, delivery_state="delivering" if unknown else "queued")

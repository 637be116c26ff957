"""Restriction: while it stands nothing is handed to agencies and nothing asked of them about the person."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.backends.actions import QUEUE_PREFIX
from app.cases.handover import DeliveryJob
from app.database import Connection
from app.errors import NotFound
from app.jobs import enqueue_now
from app.rights.requests import end, keep, tell

_SET = "UPDATE citizens SET restricted_at = coalesce(restricted_at, now()) WHERE id = $1"
_LIFT = "UPDATE citizens SET restricted_at = NULL WHERE id = $1 AND deleted_at IS NULL"
_STANDING = """
SELECT id, citizen_id, kind, places FROM data_requests
WHERE citizen_id = $1 AND kind = 'restriction' AND state = 'done' ORDER BY id DESC LIMIT 1 FOR UPDATE
"""
_DELETION_OPEN = """
SELECT EXISTS (SELECT 1 FROM data_requests WHERE citizen_id = $1 AND kind = 'deletion' AND ended_at IS NULL)
"""
_HELD_BACK = """
SELECT deliveries.id, deliveries.backend, deliveries.operation FROM deliveries JOIN cases ON cases.id = case_id
WHERE cases.citizen_id = $1 AND state IN ('queued', 'delivering')
"""


async def restrict(connection: Connection, citizen_id: UUID) -> None:
    """From the commit on: a delivery that is not under way by then does not leave."""
    await connection.execute(_SET, citizen_id)


async def stands(connection: Connection, citizen_id: UUID) -> bool:
    """Whether the citizen has asked for it and not lifted it."""
    return await connection.fetchrow(_STANDING, citizen_id) is not None


async def lift(connection: Connection, citizen_id: UUID) -> Mapping[str, Any]:
    """End the restriction the citizen asked for, and let go on what it held back. Raises NotFound where none stands."""
    row = await connection.fetchrow(_STANDING, citizen_id)
    if row is None:
        raise NotFound("restriction_missing")
    ended = await end(connection, row, "cancelled", code="lifted")
    await keep(connection, row, "data.restriction_lifted", by=str(citizen_id))
    await tell(connection, row, "lifted")
    if not await connection.fetchval(_DELETION_OPEN, citizen_id):
        await release(connection, citizen_id)
    return ended


async def release(connection: Connection, citizen_id: UUID) -> None:
    """Deal with their data again, and wake what waited."""
    await connection.execute(_LIFT, citizen_id)
    for delivery in await connection.fetch(_HELD_BACK, citizen_id):
        job = DeliveryJob(delivery["id"], delivery["operation"])
        await enqueue_now(connection, QUEUE_PREFIX + delivery["backend"], job, dedupe=str(delivery["id"]))

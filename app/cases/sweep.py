"""Safety nets, run now and then: a delivery whose job got lost is queued again, what nobody needs is removed."""

import logging
from datetime import timedelta
from uuid import UUID

from app.backends.actions import QUEUE_PREFIX
from app.cases.handover import DeliveryJob
from app.cases.tools import CaseTools
from app.idempotency import forget_old
from app.jobs import enqueue_now

log = logging.getLogger("loket.sweep")

# A delivery that should have been tried this long ago and has no job any more: the job engine lost it, or parked it.
OVERDUE_S = 60
LOOSE_FOR = timedelta(days=2)
BATCH = 200

_OVERDUE = f"""
SELECT id, backend, operation FROM deliveries
WHERE state IN ('queued', 'delivering')
    AND coalesce(next_try_at, lease_until, created_at) < now() - interval '{OVERDUE_S} seconds'
    AND NOT EXISTS (SELECT 1 FROM pgqueuer WHERE dedupe_key = deliveries.id::text AND status IN ('queued', 'picked'))
ORDER BY id LIMIT {BATCH}
"""  # noqa: S608 - constants of ours
# What was said in a try is needed while somebody may ask about it; that there was one stays.
SAID_KEPT_DAYS = 180
_OLD_WORDS = f"""
UPDATE delivery_attempts SET exchanges_enc = NULL
WHERE exchanges_enc IS NOT NULL AND started_at < now() - interval '{SAID_KEPT_DAYS} days'
"""  # noqa: S608 - constants of ours
# Parked jobs of deliveries that were queued again since.
_OLD_JOBS = """
DELETE FROM pgqueuer WHERE status = 'failed' AND dedupe_key IS NOT NULL AND updated < now() - interval '7 days'
"""
_LOOSE_FILES = """
DELETE FROM attachments WHERE id IN (
    SELECT id FROM attachments WHERE case_id IS NULL AND created_at < $1 LIMIT 500 FOR UPDATE SKIP LOCKED
) RETURNING id
"""


async def sweep_deliveries(tools: CaseTools) -> int:
    """Queue overdue deliveries again; how many there were. Harmless when two workers do it: one job per delivery."""
    async with tools.database.begin() as connection:
        rows = await connection.fetch(_OVERDUE)
        for row in rows:
            delivery_id: UUID = row["id"]
            job = DeliveryJob(delivery_id, row["operation"])
            # In place of the one that is parked, which nobody needs to look at any more.
            await enqueue_now(connection, QUEUE_PREFIX + row["backend"], job, dedupe=str(delivery_id))
    if rows:
        log.warning("%d overdue deliveries queued again", len(rows))
    return len(rows)


async def purge_cases(tools: CaseTools) -> None:
    """Remove idempotency keys past their time, what was said in old tries, and files that no case took in two days."""
    async with tools.database.begin() as connection:
        await forget_old(connection)
        await connection.execute(_OLD_WORDS)
        await connection.execute(_OLD_JOBS)
        rows = await connection.fetch(_LOOSE_FILES, await connection.fetchval("SELECT now() - $1::interval", LOOSE_FOR))
    for row in rows:
        await tools.files.delete(row["id"])

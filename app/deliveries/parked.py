"""Jobs that the job engine holds because they failed in a way nobody foresaw: shown, and queued again by a person."""

import asyncpg

from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.deliveries.acting import Acting
from app.deliveries.schemas import ParkedJob, ParkedJobs
from app.errors import NotFound
from app.telemetry import mask_text

MOST = 100
# Of what went wrong only its kind is shown: the words may hold what the job was about.
_PARKED = f"""
SELECT parked.id, entrypoint AS queue, updated AS parked_at, attempts, coalesce((
    SELECT traceback ->> 'exception_type' FROM pgqueuer_log WHERE job_id = parked.id AND traceback IS NOT NULL
    ORDER BY id DESC LIMIT 1
), '') AS error
FROM pgqueuer AS parked WHERE status = 'failed' ORDER BY updated LIMIT {MOST}
"""  # noqa: S608 - constants of ours
_AGAIN = """
UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), attempts = 0, queue_manager_id = NULL
WHERE id = $1 AND status = 'failed' RETURNING entrypoint
"""


async def list_parked(connection: Connection) -> ParkedJobs:
    """Oldest first."""
    rows = await connection.fetch(_PARKED)
    return ParkedJobs([ParkedJob(**row) for row in rows])


async def queue_again(connection: Connection, acting: Acting, job_id: int, reason: str) -> None:
    """Run it once more. Raises NotFound where it is not parked any more."""
    try:
        async with connection.transaction():
            queue = await connection.fetchval(_AGAIN, job_id)
    except asyncpg.UniqueViolationError:
        # Another of the same matter was queued in its place since.
        queue = None
    if queue is None:
        raise NotFound("job_not_parked")
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=acting.id,
            action="job.retry",
            subject_id=None,
            object_kind="job",
            object_id=f"{queue}.{job_id}",
            purpose=mask_text(reason)[:200],
            legal_basis="uu-25-2009",
        ),
    )

"""Telling somebody that they are asked for a delegation: by a worker, so that asking takes as long for a NIK that
nobody has."""

from app.database import Database
from app.delegations.actions import QUEUE, AskedJob
from app.inbox.actions import Notice, notify_on
from app.jobs import Queue

CONCURRENCY = 2
_ASKED_OF = """
SELECT citizens.id FROM delegations JOIN citizens ON nik_index = subject_index
WHERE delegations.id = $1 AND state = 'asked' AND relation IN ('elder', 'other')
"""


def queue(database: Database) -> Queue[AskedJob]:
    """For the worker."""

    async def run(job: AskedJob) -> None:
        async with database.begin() as connection:
            citizen_id = await connection.fetchval(_ASKED_OF, job.delegation_id)
            if citizen_id is not None:
                await notify_on(connection, Notice(citizen_id, "inbox.delegation_asked", {}))

    return Queue(QUEUE, AskedJob, run, concurrency=CONCURRENCY)

"""What the worker does for citizens' rights: answering requests, writing tables anew, letting go what was held."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from app.cases.tools import CaseTools
from app.database import Connection, utc_now
from app.jobs import Queue, enqueue_on
from app.login.courier import Note
from app.login.gate import Gate
from app.rights import copying
from app.rights.correcting import correct
from app.rights.deleting import Deleted, delete_person, end_holds
from app.rights.requests import QUEUE, DataJob, end, held_request, job_key, keep, tell
from app.rights.scrubbing import is_quiet, scrub
from app.rights.subjects import Subject
from app.settings import Settings
from app.valkey import ValkeyDown

log = logging.getLogger("loket.rights")

# Few at once: a copy is held in memory while it is made.
CONCURRENCY = 2
LAST_WORD_LIFE = timedelta(days=1)
_LOST = """
SELECT id FROM data_requests
WHERE ended_at IS NULL AND run_at < now() - interval '5 minutes' AND code <> 'scrubbing'
    AND NOT (kind = 'correction' AND state = 'waiting')
    AND NOT EXISTS (SELECT 1 FROM pgqueuer WHERE dedupe_key = 'rights.' || data_requests.id::text
        AND status IN ('queued', 'picked'))
ORDER BY id LIMIT 200
"""
_DELETED = """
UPDATE data_requests SET state = 'waiting', code = 'scrubbing', places = $2::jsonb, run_at = clock_timestamp()
WHERE id = $1
"""


class RightsDesk:
    """Answers requests, one try a job."""

    def __init__(self, gate: Gate, tools: CaseTools) -> None:
        self._gate = gate
        self._tools = tools

    async def run(self, job: DataJob) -> None:
        """Raises RetryLater while something outside is waited for."""
        async with self._tools.database.begin() as connection:
            row = await held_request(connection, job.request_id)
        if row["ended_at"] is not None or row["code"] == "scrubbing":
            return
        if row["kind"] == "copy":
            await self._copy(row)
        elif row["kind"] == "correction":
            await correct(self._gate, row["id"])
        elif row["kind"] == "deletion":
            await self._delete(row)

    async def _copy(self, row: Mapping[str, Any]) -> None:
        """Parts of a try that broke off are removed first: nobody was told of them."""
        await copying.remove_parts(self._tools, await copying.parts_of(self._tools.database, row["id"]))
        async with self._tools.database.begin() as connection:
            await keep(connection, row, "data.copied", fields=("everything",))
            gathered = await copying.gather(connection, self._tools, row["citizen_id"])
        parts = await copying.make_copy(self._tools, gathered)
        async with self._tools.database.begin() as connection:
            held = await held_request(connection, row["id"])
            if held["ended_at"] is None:
                await copying.note_parts(connection, row["id"], parts)
                await end(connection, held, "done")
                await tell(connection, held, "done", days=str(copying.KEPT.days))

    async def _delete(self, row: Mapping[str, Any]) -> None:
        async with self._tools.database.begin() as connection:
            held = await held_request(connection, row["id"])
            if held["ended_at"] is not None:
                return
            await keep(connection, held, "data.deleted", fields=("everything",))
            deleted = await delete_person(connection, self._tools, held["citizen_id"])
            await connection.execute(_DELETED, held["id"], msgspec.json.encode(deleted.held).decode())
            await self._last_word(connection, deleted)
        await self._forget(deleted)

    async def _last_word(self, connection: Connection, deleted: Deleted) -> None:
        """The phone is told, there is no inbox any more; the number goes with the message."""
        for phone in deleted.subject.phones:
            note = Note(
                phone=phone,
                key="rights.deletion_done",
                params={},
                language=deleted.language,
                expires_at=utc_now() + LAST_WORD_LIFE,
            )
            await self._gate.courier.send_on(connection, note)

    async def _forget(self, deleted: Deleted) -> None:
        """What processes and Valkey still know. Ended sessions are found by every process's poll as well, and what lies
        in Valkey ends by itself within the hour."""
        await self._gate.revocations.announce(*deleted.sessions)
        for account in deleted.subject.ids:
            await self._gate.profiles.changed(account)
            await self._tools.reads.forget(str(account))
        await forget_keys(self._tools, deleted.subject)


async def forget_keys(tools: CaseTools, subject: Subject) -> None:
    """Remove what Valkey counts under their name."""
    try:
        await tools.valkey.forget(await tools.valkey.find(subject.forms))
    except ValkeyDown:
        log.warning("valkey is away: what it counts of a deleted citizen ends by itself")


def queues(gate: Gate, tools: CaseTools) -> list[Queue[DataJob]]:
    """For the worker."""
    return [Queue(QUEUE, DataJob, RightsDesk(gate, tools).run, concurrency=CONCURRENCY)]


async def sweep(tools: CaseTools, settings: Settings) -> None:
    """See to it that every request that is due has a job, and that what was deleted is overwritten."""
    async with tools.database.begin() as connection:
        for row in await connection.fetch(_LOST):
            await enqueue_on(connection, QUEUE, DataJob(row["id"]), dedupe=job_key(row["id"]))
    if is_quiet(settings, tools.catalog.timezone, utc_now()):
        await scrub(tools)


async def purge(tools: CaseTools) -> None:
    """Remove copies nobody fetched in time, and what a law held until now."""
    await copying.purge_copies(tools)
    await end_holds(tools)

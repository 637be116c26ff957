"""Jobs on the same PostgreSQL by pgqueuer: enqueued in the transaction of what they follow, run by worker processes."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.models import Job
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection, Database, driver_of
from app.tracing import Tracing, current, job_headers, note

P = TypeVar("P", bound=msgspec.Struct)

# pgqueuer's own statement, rendered once: rendering it for every job costs more than running it.
_ENQUEUE = QueryQueueBuilder().build_enqueue_query("skip")
_OLD_NOTES = "DELETE FROM pgqueuer_log WHERE created < now() - interval '7 days'"
_WAKE = """
UPDATE pgqueuer SET execute_after = now() WHERE entrypoint LIKE $1 AND status = 'queued' AND execute_after > now()
"""
_UNPARK = "DELETE FROM pgqueuer WHERE dedupe_key = $1 AND status = 'failed'"
_HASTEN = "UPDATE pgqueuer SET execute_after = now() WHERE dedupe_key = $1 AND status = 'queued' RETURNING 1"
_ANYTHING = select(literal(1))

# A worker that stops beating for this long has lost its job to another one.
LEASE_S = 10
# PostgreSQL announces a new job, but not that one put off by RetryLater is due: an idle worker looks this often.
LOOK_EVERY_S = 1
# Every new job wakes every worker. One look takes all that came meanwhile, so there is no more than one in this time.
LOOK_PAUSE_S = 0.04


class RetryLater(Exception):
    """Raised by a queue's `run`: the same job comes again after `delay_s`."""

    def __init__(self, delay_s: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_s = delay_s
        self.reason = reason


class Queue(msgspec.Struct, Generic[P], frozen=True):
    """One kind of job. `concurrency` holds over all workers together; 0 means no limit of its own."""

    name: str
    payload_type: type[P]
    run: Callable[[P], Awaitable[None]]
    concurrency: int = 0


async def enqueue(
    session: AsyncSession, queue: str, payload: msgspec.Struct, *, delay_s: float = 0, dedupe: str | None = None
) -> None:
    """Add a job in the session's own transaction: it exists if and only if that transaction commits.

    With `dedupe`, a job of the same key that still waits makes this one superfluous.
    """
    await enqueue_on(await driver_connection(session), queue, payload, delay_s=delay_s, dedupe=dedupe)


async def enqueue_on(
    connection: Connection, queue: str, payload: msgspec.Struct, *, delay_s: float = 0, dedupe: str | None = None
) -> None:
    """The same in the transaction that `connection` is in."""
    after = timedelta(seconds=delay_s)
    await connection.execute(_ENQUEUE, [0], [queue], [msgspec.json.encode(payload)], [after], [dedupe], [job_headers()])


def enqueue_part(queue: str, payload: str, source: str, *, dedupe: str = "NULL", headers: str = "NULL") -> str:
    """SQL that adds a job for each row of `source`, as a part of a WITH, where pgqueuer's own statement cannot stand.

    `queue`, `payload`, `dedupe` and `headers` are SQL: places of a text, its bytes, a text and of what `job_headers`
    gives. Such a job is not noted in pgqueuer's log before it is taken.
    """
    return f"""
    INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, headers, status)
    SELECT 0, {queue}, {payload}, {dedupe}, {headers}, 'queued' FROM {source}
    """  # noqa: S608 - constants of ours


async def wake_queue(connection: Connection, pattern: str) -> None:
    """Have the jobs that were put off in the queues whose names are LIKE `pattern` run now."""
    await connection.execute(_WAKE, pattern)


async def enqueue_now(connection: Connection, queue: str, payload: msgspec.Struct, *, dedupe: str) -> None:
    """Have the job of this key run now: the one put off, or a new one in place of one that is parked."""
    await connection.execute(_UNPARK, dedupe)
    if await connection.fetchval(_HASTEN, dedupe) is None:
        await enqueue_on(connection, queue, payload, dedupe=dedupe)


async def purge_log(database: Database) -> None:
    """Remove what the job engine noted of jobs that ended long ago: nobody reads it, and nothing else removes it."""
    async with database.connection() as connection:
        await connection.execute(_OLD_NOTES)


async def driver_connection(session: AsyncSession) -> Connection:
    """The asyncpg connection under a session, inside the session's transaction.

    SQLAlchemy's asyncpg dialect begins the transaction with the first statement it runs itself: whatever is sent on the
    raw connection before that would survive a rollback.
    """
    connection = await session.connection()
    raw = driver_of(await connection.get_raw_connection())
    if not raw.is_in_transaction():
        await session.execute(_ANYTHING)
    return raw


async def run_queues(connection: Connection, queues: Sequence[Queue[Any]], tracing: Tracing | None = None) -> PgQueuer:
    """A pgqueuer application with every queue registered; `.run()` works until `.shutdown` is set."""
    driver = AsyncpgDriver(connection)
    application = PgQueuer(driver, queries=_Unhurried(driver))
    for queue in queues:
        application.entrypoint(queue.name, concurrency_limit=queue.concurrency, on_failure="hold")(
            functools.partial(_run_one, queue, tracing)
        )
    return application


class _Unhurried(Queries):
    """pgqueuer's queries, looking for jobs no more often than every LOOK_PAUSE_S."""

    _last_look_s = 0.0

    async def dequeue(self, *args: Any, **kwargs: Any) -> list[Job]:
        await asyncio.sleep(max(0.0, self._last_look_s + LOOK_PAUSE_S - time.monotonic()))
        self._last_look_s = time.monotonic()
        return await super().dequeue(*args, **kwargs)


async def _run_one(queue: Queue[Any], tracing: Tracing | None, job: Job) -> None:
    with _traced(queue, tracing, job):
        try:
            await queue.run(msgspec.json.decode(job.payload or b"{}", type=queue.payload_type))
        except RetryLater as later:
            note({"loket.put_off_s": round(later.delay_s, 3)})
            raise RetryRequested(timedelta(seconds=later.delay_s), later.reason) from later


@contextmanager
def _traced(queue: Queue[Any], tracing: Tracing | None, job: Job) -> Iterator[None]:
    """One try of a job is one part of the trace that it was enqueued in, however long ago."""
    if tracing is None:
        yield
        return
    carried = job.otel_headers() or {}
    trace = tracing.begin(str(carried.get("traceparent", "")), str(carried.get("tracestate", "")), "consumer")
    token, started = current.set(trace), time.perf_counter()
    try:
        yield
    except RetryRequested:
        raise
    except Exception as error:
        trace.error = type(error).__name__
        raise
    finally:
        current.reset(token)
        if tracing.is_told(trace, failed=bool(trace.error), seconds=time.perf_counter() - started):
            trace.name = f"process {queue.name}"
            trace.attributes |= {"messaging.destination.name": queue.name, "messaging.message.id": str(job.id)}
            trace.attributes["loket.enqueued_at"] = job.created.isoformat()
            tracing.tell(trace)

"""Every call to an agency's system, counted in memory and written every few seconds: no call waits for it.

A process that is killed loses what it counted since its last write; while the database is away it keeps counting, and
forgets the oldest slots beyond a bound.
"""

import asyncio
import contextvars
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from app.backends.buckets import bucket_of
from app.database import AWAY, Connection, Database, utc_now

log = logging.getLogger("loket.backends")

SLOT_S = 300
WRITE_EVERY_S = 5.0
# Kinds of calls in memory at most: an hour of a hundred operations while the database is away.
MOST_KEPT = 10_000
KEPT_CALLS, KEPT_SLOTS = "8 days", "100 days"
# What says that a system answered, and what that it did not; not asked, or broken off by us, says neither.
ANSWERED, UNANSWERED = ("ok",), ("failed", "unavailable", "unknown")

# In one order, so that two processes never wait for each other.
_WRITE = """
WITH counted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::smallint[], $6::int[],
        $7::timestamptz[]) AS given (backend, operation, slot, outcome, bucket, calls, last_at)
    ORDER BY backend, operation, slot, outcome, bucket
), slots AS (
    INSERT INTO backend_slots AS known (backend, slot, answered, unanswered)
    SELECT backend, slot, coalesce(sum(calls) FILTER (WHERE outcome = ANY($8)), 0),
        coalesce(sum(calls) FILTER (WHERE outcome = ANY($9)), 0)
    FROM counted WHERE outcome = ANY($8) OR outcome = ANY($9) GROUP BY backend, slot ORDER BY backend, slot
    ON CONFLICT (backend, slot) DO UPDATE
    SET answered = known.answered + excluded.answered, unanswered = known.unanswered + excluded.unanswered
)
INSERT INTO backend_calls AS known (backend, operation, slot, outcome, bucket, calls, last_at)
SELECT * FROM counted ON CONFLICT (backend, operation, slot, outcome, bucket) DO UPDATE
SET calls = known.calls + excluded.calls, last_at = greatest(known.last_at, excluded.last_at)
"""
_PURGE = (
    f"DELETE FROM backend_calls WHERE slot < now() - interval '{KEPT_CALLS}'",  # noqa: S608 - constants of ours
    f"DELETE FROM backend_slots WHERE slot < now() - interval '{KEPT_SLOTS}'",  # noqa: S608 - constants of ours
)


class Kind(NamedTuple):
    """What is counted together."""

    backend: str
    operation: str
    slot_s: int
    outcome: str
    bucket: int


class Count(msgspec.Struct):
    calls: int
    last_at: datetime


class Measurer:
    """Counts this process's calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[Kind, Count] = {}
        self._closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def record(self, backend: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one call. Never waits."""
        now = utc_now()
        slot_s = int(now.timestamp()) // SLOT_S * SLOT_S
        self._add(Kind(backend, operation, slot_s, outcome, bucket_of(seconds)), 1, now)
        if self._writing is None or self._writing.done():
            # In no request's context: it outlives the one that began it.
            loop, alone = asyncio.get_running_loop(), contextvars.Context()
            self._writing = loop.create_task(self._write_while_counting(), name="measuring", context=alone)

    async def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_while_counting(self) -> None:
        while self._counted:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), WRITE_EVERY_S)
            await self._write()
            if self._closing.is_set():
                return

    async def _write(self) -> None:
        taken, self._counted = self._counted, {}
        try:
            async with self._database.connection() as connection:
                await write_counts(connection, taken)
        except AWAY as error:
            log.warning("calls to agencies' systems not written: %s", type(error).__name__)
            for kind, count in taken.items():
                self._add(kind, count.calls, count.last_at)
            self._forget_oldest()

    def _add(self, kind: Kind, calls: int, at: datetime) -> None:
        known = self._counted.get(kind)
        if known is None:
            self._counted[kind] = Count(calls, at)
        else:
            known.calls, known.last_at = known.calls + calls, max(known.last_at, at)

    def _forget_oldest(self) -> None:
        beyond = len(self._counted) - MOST_KEPT
        for kind in sorted(self._counted, key=lambda kind: kind.slot_s)[: max(beyond, 0)]:
            del self._counted[kind]


async def write_counts(connection: Connection, counted: dict[Kind, Count]) -> None:
    """Add what was counted to what stands."""
    columns = list(zip(*counted, strict=True))
    slots = [datetime.fromtimestamp(slot_s, UTC) for slot_s in columns[2]]
    calls, last = [each.calls for each in counted.values()], [each.last_at for each in counted.values()]
    given = (columns[0], columns[1], slots, columns[3], columns[4], calls, last)
    await connection.execute(_WRITE, *given, list(ANSWERED), list(UNANSWERED))


async def purge_measured(database: Database) -> None:
    """Remove what is older than anybody is shown."""
    async with database.connection() as connection:
        for statement in _PURGE:
            await connection.execute(statement)

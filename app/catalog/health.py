"""How an agency's system has answered lately: measured by every call made to it, read as a service's availability."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import AWAY, Database, utc_now

log = logging.getLogger("loket.health")

Availability = Literal["available", "degraded", "down", "maintenance"]

# Down: three calls in a row failed and none has succeeded since. One may be chance, two the same short fault.
DOWN_AFTER = 3
# Degraded: of the last minutes' calls one in five failed, or they took longer than a citizen waits for a page. Fewer
# than five calls prove nothing of either.
DEGRADED_SHARE = 0.2
DEGRADED_SECONDS = 5.0
LEAST_CALLS = 5.0
# A call counts half after two minutes, so what is told is the last few minutes, without edges.
HALF_LIFE_S = 120
# A failure nobody has followed up in this time says nothing of now: whoever asks next will measure it.
STALE_AFTER = timedelta(minutes=30)

WRITE_EVERY_S = 1.0
READ_EVERY_S = 5.0


class Outcomes(msgspec.Struct):
    """What calls to one backend came to since the last write. `trailing` failures came after the last success."""

    calls: int = 0
    failures: int = 0
    trailing: int = 0
    seconds: float = 0.0
    last_seconds: float = 0.0
    ok_at: datetime | None = None
    failed_at: datetime | None = None

    def add(self, *, ok: bool, seconds: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.last_seconds = seconds
        if ok:
            self.trailing, self.ok_at = 0, utc_now()
        else:
            self.failures, self.trailing, self.failed_at = self.failures + 1, self.trailing + 1, utc_now()


class HealthRecorder:
    """Gathers outcomes in memory and writes them at most once a second: a busy backend costs one row write a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, Outcomes] = {}
        self._closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def record(self, backend: str, *, ok: bool, seconds: float) -> None:
        """Count one call. `ok` is that the system answered as it should, be the answer a refusal. Never waits."""
        self._waiting.setdefault(backend, Outcomes()).add(ok=ok, seconds=seconds)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_while_waiting())

    async def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_while_waiting(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            async with self._database.transaction() as session:
                # Always in the same order: two workers that write two backends never wait for each other.
                for backend in sorted(waiting):
                    await record_outcomes(session, backend, waiting[backend])
        except AWAY as error:
            log.warning("health of %s not written: %s", ", ".join(sorted(waiting)), type(error).__name__)


class HealthBoard:
    """The measured health as one process tells it, at most five seconds old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Mapping[str, Availability] = {}
        self._read_at = float("-inf")

    async def of(self, backends: Sequence[str]) -> Availability:
        """What `backends` are together: down where all are, degraded where some are not well. One that was never called
        has nothing against it: available."""
        await self._refresh()
        told = sorted((self._known.get(backend, "available") for backend in backends), key=_BADNESS.index)
        if len(told) <= 1 or told[0] == told[-1]:
            return told[0] if told else "available"
        return "degraded"

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at < READ_EVERY_S:
            return
        # Set first: whoever comes meanwhile is told what was known, and does not read a second time.
        self._read_at = time.monotonic()
        try:
            async with self._database.transaction() as session:
                self._known = await read_health(session)
        except AWAY as error:
            log.warning("health not read: %s", type(error).__name__)


async def record_outcomes(session: AsyncSession, backend: str, outcomes: Outcomes) -> None:
    """Add what calls came to."""
    await session.execute(
        _WRITE,
        {
            "backend": backend,
            "half_life_s": HALF_LIFE_S,
            "had_success": outcomes.trailing < outcomes.calls,
            **msgspec.structs.asdict(outcomes),
        },
    )


async def read_health(session: AsyncSession) -> dict[str, Availability]:
    """Every backend that was ever called."""
    rows = (await session.execute(_READ, {"half_life_s": HALF_LIFE_S})).mappings()
    return {row["backend"]: judge(msgspec.convert(row, Reading)) for row in rows}


class Reading(msgspec.Struct, frozen=True):
    """One row of backend_health, faded to now."""

    backend: str
    failed_at: datetime | None
    now: datetime
    consecutive_failures: int
    calls: float
    failures: float
    seconds: float


def judge(reading: Reading) -> Availability:
    """What a row says, by the limits above."""
    if reading.failed_at and reading.consecutive_failures and reading.now - reading.failed_at < STALE_AFTER:
        return "down" if reading.consecutive_failures >= DOWN_AFTER else "degraded"
    if reading.calls < LEAST_CALLS:
        return "available"
    slow = reading.seconds / reading.calls > DEGRADED_SECONDS
    return "degraded" if slow or reading.failures / reading.calls >= DEGRADED_SHARE else "available"


_BADNESS: tuple[Availability, ...] = ("available", "degraded", "maintenance", "down")

_WRITE = text("""
INSERT INTO backend_health AS known (backend, ok_at, failed_at, measured_at, consecutive_failures, last_seconds,
    recent_calls, recent_failures, recent_seconds)
VALUES (:backend, :ok_at, :failed_at, now(), :trailing, :last_seconds, :calls, :failures, :seconds)
ON CONFLICT (backend) DO UPDATE SET
    ok_at = greatest(known.ok_at, excluded.ok_at),
    failed_at = greatest(known.failed_at, excluded.failed_at),
    measured_at = excluded.measured_at,
    consecutive_failures = excluded.consecutive_failures
        + CASE WHEN :had_success THEN 0 ELSE known.consecutive_failures END,
    last_seconds = excluded.last_seconds,
    recent_calls = excluded.recent_calls + known.recent_calls
        * power(0.5, extract(epoch FROM excluded.measured_at - known.measured_at) / :half_life_s),
    recent_failures = excluded.recent_failures + known.recent_failures
        * power(0.5, extract(epoch FROM excluded.measured_at - known.measured_at) / :half_life_s),
    recent_seconds = excluded.recent_seconds + known.recent_seconds
        * power(0.5, extract(epoch FROM excluded.measured_at - known.measured_at) / :half_life_s)
""")

_READ = text("""
SELECT backend, failed_at, now() AS now, consecutive_failures,
    recent_calls * faded AS calls, recent_failures * faded AS failures, recent_seconds * faded AS seconds
FROM backend_health
CROSS JOIN LATERAL (SELECT power(0.5, extract(epoch FROM now() - measured_at)::float8 / :half_life_s) AS faded) AS time
""")

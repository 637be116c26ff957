"""Availability as measured: limits, fading, and writing that survives many writers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.catalog.health import (
    Availability,
    HealthBoard,
    HealthRecorder,
    Outcomes,
    Reading,
    judge,
    read_health,
    record_outcomes,
)
from app.database import Database

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("in_a_row", "failed_ago_s", "calls", "failures", "seconds", "expected"),
    [
        (0, None, 0, 0, 0, "available"),
        (0, None, 100, 0, 10, "available"),
        (0, 60, 100, 10, 10, "available"),
        (0, 60, 100, 20, 10, "degraded"),
        (0, 60, 4, 4, 0.1, "available"),
        (0, None, 10, 0, 51, "degraded"),
        (1, 10, 100, 1, 10, "degraded"),
        (2, 10, 2, 2, 1, "degraded"),
        (3, 10, 3, 3, 1, "down"),
        (500, 1700, 0, 0, 0, "down"),
        (500, 1900, 0, 0, 0, "available"),
    ],
)
def test_limits(
    in_a_row: int, failed_ago_s: int | None, calls: float, failures: float, seconds: float, expected: Availability
) -> None:
    failed_at = None if failed_ago_s is None else NOW - timedelta(seconds=failed_ago_s)
    assert judge(Reading("x", failed_at, NOW, in_a_row, calls, failures, seconds)) == expected


def outcomes(*came_to: bool) -> Outcomes:
    gathered = Outcomes()
    for ok in came_to:
        gathered.add(ok=ok, seconds=0.1)
    return gathered


async def health_of(database: Database, backend: str) -> Availability:
    async with database.transaction() as session:
        return (await read_health(session))[backend]


async def record(database: Database, backend: str, *came_to: bool) -> None:
    async with database.transaction() as session:
        await record_outcomes(session, backend, outcomes(*came_to))


async def test_failures_in_a_row_add_up_over_writes_until_one_succeeds(database: Database) -> None:
    await record(database, "rows", True, False)
    assert await health_of(database, "rows") == "degraded"
    await record(database, "rows", False, False)
    assert await health_of(database, "rows") == "down"
    await record(database, "rows", True, False)
    assert await health_of(database, "rows") == "degraded"


async def test_old_failures_fade(database: Database) -> None:
    await record(database, "fading", *[False] * 10, *[True] * 10)
    assert await health_of(database, "fading") == "degraded"
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE backend_health SET measured_at = now() - interval '1 hour' WHERE backend = 'fading'")
        )
    await record(database, "fading", *[True] * 10)
    assert await health_of(database, "fading") == "available"


async def test_recorders_of_several_workers_lose_nothing(database: Database) -> None:
    recorders = [HealthRecorder(database) for _ in range(3)]
    for number, recorder in enumerate(recorders):
        for call in range(50):
            recorder.record("many", ok=True, seconds=number + call)
            recorder.record("other", ok=False, seconds=0.1)
    await asyncio.gather(*(recorder.close() for recorder in recorders))
    async with database.transaction() as session:
        calls = await session.scalar(text("SELECT recent_calls FROM backend_health WHERE backend = 'many'"))
        in_a_row = await session.scalar(text("SELECT consecutive_failures FROM backend_health WHERE backend = 'other'"))
    assert calls == pytest.approx(150, rel=0.05)
    assert in_a_row == 150


async def test_a_recorder_writes_by_itself(database: Database) -> None:
    recorder = HealthRecorder(database)
    recorder.record("itself", ok=True, seconds=0.1)
    async with asyncio.timeout(5):
        while True:
            async with database.transaction() as session:
                if "itself" in await read_health(session):
                    break
            await asyncio.sleep(0.1)
    await recorder.close()


async def test_the_board_tells_of_several_and_takes_the_unmeasured_for_available(database: Database) -> None:
    await record(database, "good", True)
    await record(database, "bad", *[False] * 3)
    board = HealthBoard(database)
    assert await board.of(["never-called"]) == "available"
    assert await board.of(["good"]) == "available"
    assert await board.of(["good", "bad"]) == "degraded", "one of several is down"
    assert await board.of(["bad", "bad"]) == "down"
    await record(database, "bad", True)
    assert await board.of(["bad"]) == "down", "what it tells is up to five seconds old"
    assert await HealthBoard(database).of(["bad"]) == "available"


async def test_with_the_database_gone_the_board_keeps_to_what_it_knew() -> None:
    unreachable = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1, name="test")
    assert await HealthBoard(unreachable).of(["good"]) == "available"
    recorder = HealthRecorder(unreachable)
    recorder.record("good", ok=True, seconds=0.1)
    await recorder.close()
    await unreachable.close()

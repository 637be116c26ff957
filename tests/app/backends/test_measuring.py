"""What calls are counted as, written in batches by several processes, and read again as officers see it."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from app.backends.buckets import LAST, bucket_of, percentile_ms, upper_ms
from app.backends.measured import read_calls, read_days, read_line, read_uptime
from app.backends.measuring import MOST_KEPT, SLOT_S, Count, Kind, Measurer, purge_measured, write_counts
from app.database import Database, utc_now

ZONE = "Asia/Jakarta"


def test_buckets_hold_every_time_and_tell_it_within_a_quarter() -> None:
    for seconds in (0.0, 0.0004, 0.001, 0.0011, 0.02, 0.3, 1.0, 9.99, 64.0):
        bucket = bucket_of(seconds)
        assert seconds * 1000 <= upper_ms(bucket) <= max(1.0, seconds * 1000 * 1.2601)
    assert bucket_of(3600) == LAST


def test_percentiles_are_near_the_true_ones() -> None:
    generator = random.Random(7)
    times = sorted(generator.lognormvariate(-2.5, 0.8) for _ in range(5000))
    counted: dict[int, int] = {}
    for seconds in times:
        counted[bucket_of(seconds)] = counted.get(bucket_of(seconds), 0) + 1
    for share in (0.5, 0.95, 0.99):
        told = percentile_ms(counted, share)
        assert told == pytest.approx(times[int(share * len(times))] * 1000, rel=0.1)
    assert percentile_ms({}, 0.5) is None
    assert percentile_ms({0: 0, 9: 1}, 0.95) is not None


async def test_two_processes_count_together(database: Database) -> None:
    one, other = Measurer(database), Measurer(database)
    for each in (one, other):
        for _ in range(100):
            each.record("counted", "read", "ok", 0.1)
        each.record("counted", "read", "failed", 0.2)
        each.record("counted", "write", "unknown", 5.0)
        each.record("counted", "write", "not_asked", 0.0)
        each.record("counted", "write", "broken_off", 1.0)
        await each.close()
    async with database.connection() as connection:
        calls = (await read_calls(connection, ["counted"]))["counted"]
        assert (calls[""].hour.calls, calls[""].hour.failures, calls[""].hour.not_asked) == (204, 4, 2)
        assert (calls["read"].day.calls, calls["read"].day.failed) == (202, 2)
        assert (calls["write"].hour.unknown, calls["write"].last_ok_at) == (2, None)
        assert calls["read"].last_ok_at is not None
        assert calls["read"].hour.median_ms == pytest.approx(100, rel=0.26)
        assert calls["write"].hour.median_ms is None
        line = await read_line(connection, "counted", utc_now())
        assert (len(line), sum(each.calls for each in line)) == (24 * 3600 // SLOT_S, 204)
        assert set(await read_uptime(connection, ["counted", "never"])) == {"counted"}


async def test_uptime_counts_slots_and_old_ones_go(database: Database) -> None:
    now = datetime.fromtimestamp(int(utc_now().timestamp()) // SLOT_S * SLOT_S, UTC)
    counted = {}
    for back in range(100):
        at = now - timedelta(seconds=SLOT_S * back)
        outcome = "unavailable" if back < 25 else "ok"
        counted[Kind("lame", "read", int(at.timestamp()), outcome, 20)] = Count(3, at)
    ancient = now - timedelta(days=120)
    counted[Kind("lame", "read", int(ancient.timestamp()), "unavailable", 20)] = Count(1, ancient)
    async with database.connection() as connection:
        await write_counts(connection, counted)
        assert await read_uptime(connection, ["lame"]) == {"lame": 0.75}
        days = await read_days(connection, "lame", ZONE)
        assert sum(day.measured for day in days) == 100
        assert sum(round(day.share * day.measured) for day in days) == 75
        await purge_measured(database)
        for table in ("backend_calls", "backend_slots"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE slot < $1", now - timedelta(90)) == 0


async def test_while_the_database_is_away_it_keeps_counting_within_a_bound() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1, name="test")
    measurer = Measurer(nowhere)
    for number in range(MOST_KEPT + 50):
        measurer._add(Kind("gone", f"operation_{number}", number, "ok", 1), 1, utc_now())
    measurer.record("gone", "read", "ok", 0.01)
    await measurer.close()
    kept = measurer._counted
    assert len(kept) == MOST_KEPT
    assert min(kind.slot_s for kind in kept) == 51
    assert any(kind.operation == "read" for kind in kept)
    await nowhere.close()

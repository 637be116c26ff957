"""F34: one agency's backlog is that agency's alone: the others' cases are delivered as promptly as on a quiet day."""

import statistics
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from app.sandbox.client import HttpWorkbench
from tests.chaos.isolation import AGENCIES, HANGS, LEAST_ANSWERED, MOST_SLOWER, Questions, phase
from tests.harness.backlog import many_like
from tests.harness.cases import delays_s
from tests.harness.figures import Tell
from tests.harness.people import People
from tests.harness.product import Api, Running, Sandboxes
from tests.harness.tables import Tables
from tests.harness.tickets import take

# At the six places it has, the backlog takes minutes, and the others' cases seconds.
BACKLOG, LATENCY_MS = 600, 1500
FEW = 5
# Questions a second to all three; then as many to each of the others, and seven times as many to one.
PER_SECOND, SECONDS, MOST_TIMES = 24.0, 3.0, 3
HOT = (*[HANGS] * 7, *(agency for agency in AGENCIES if agency != HANGS))
# Nine of ten are held against each other: a hundredth of so few is one pause of the machine.
GRACE_MS = 150.0
# Of delays too short to compare: what a full machine adds to either side.
GRACE_S = 2.0
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def slow(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    """The hot agency, slow within its budget: it is no outage that would shut its door."""
    async with sandboxes.bench("antrean_fktp") as bench:
        yield bench
        await bench.heal()


async def settled(tables: Tables, first: dict[str, Any]) -> int:
    """How many of the backlog made like `first` an answer came for."""
    statement = """
        SELECT count(*) FROM deliveries WHERE backend = (SELECT backend FROM cases WHERE id = $1)
        AND case_id <> $1 AND state IN ('delivered', 'rejected')
    """
    return int(await tables.value(statement, UUID(first["id"])))


async def test_the_others_are_delivered_while_the_backlog_waits(
    people: People, worker: Running, slow: HttpWorkbench, tables: Tables
) -> None:
    first = await take(await people.make())
    alone = await delays_s(people, FEW)
    await slow.fault("ok", ["take"], latency_ms=LATENCY_MS)
    await many_like(tables, first, BACKLOG)
    beside = await delays_s(people, FEW)
    waiting = BACKLOG - await settled(tables, first)
    assert waiting > BACKLOG / 2, (waiting, beside)
    assert statistics.median(beside) <= 2 * statistics.median(alone) + GRACE_S, (beside, alone)
    # It was no idle agency beside which the others had it easy: its own go on, and who comes now is not behind them.
    await progressed(tables, first)
    late = await delays_s(people, 1)
    waiting = BACKLOG - await settled(tables, first)
    assert waiting > BACKLOG / 2, (waiting, late)
    assert late[0] <= 2 * statistics.median(alone) + GRACE_S, (late, alone)
    # What it has in hand is ended while the agency is still there.
    await slow.heal()
    worker.stop()


async def test_asked_seven_times_as_much_with_a_cold_cache_it_costs_the_others_nothing(
    api: Api, sandboxes: Sandboxes, tell: Tell
) -> None:
    """Each question to the hot one is a new one. Asked again where others took the machine's time."""
    told: list[str] = []
    async with aiohttp.ClientSession(api.url, timeout=aiohttp.ClientTimeout(30)) as client:
        questions = Questions(client)
        await phase(questions, 1.0, PER_SECOND)
        holds = False
        while not holds and len(told) < MOST_TIMES:
            usual = await phase(questions, SECONDS, PER_SECOND)
            hot = await phase(questions, SECONDS, PER_SECOND * len(HOT) / len(AGENCIES), HOT)
            assert hot.asked >= SECONDS * PER_SECOND / 2
            told.append(f"{hot.answered} of {hot.asked} answered, p99 {hot.p99_ms / usual.p99_ms:.2f} times")
            holds = hot.share >= LEAST_ANSWERED and hot.p90_ms <= MOST_SLOWER * usual.p90_ms + GRACE_MS
    tell(f"F34: one agency asked {HOT.count(HANGS)} times as much, the others: {'; '.join(told)}; asked 99.95 %, 1.2")
    assert holds, told


async def progressed(tables: Tables, first: dict[str, Any]) -> None:
    """Until the backlog is at work. Raises AssertionError where it never is."""
    for _ in range(600):
        if await settled(tables, first) > 0:
            return
        await tables.run("SELECT pg_sleep(0.1)")
    raise AssertionError(await tables.rows("SELECT backend, state, reason, count(*) FROM deliveries GROUP BY 1, 2, 3"))

"""500 cases of 20 citizens at once, each tenth answer lost, a worker killed thrice: each registered exactly once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import asyncpg
import pytest

from app.database import driver_url
from tests.harness.cases import hand_in
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes

CITIZENS = 20
CASES_EACH = 25
KILLS = 3
PATIENCE_S = 240


@pytest.mark.timeout(420)
async def test_every_case_reaches_the_agency_exactly_once(
    people: People,
    sandboxes: Sandboxes,
    start_process: Callable[..., Running],
    postgres_url: str,
) -> None:
    citizens = [await people.make() for _ in range(CITIZENS)]
    bench = sandboxes.bench("sicantik")
    await bench.fault("lost_answer", ["register"], rate=0.1)
    worker = start_process("work")
    worker.wait_for("worker ready")

    handed_in = asyncio.gather(*(_hand_in_all(citizen) for citizen in citizens))
    for _ in range(KILLS):
        await asyncio.sleep(3)
        worker.kill()
        worker = start_process("work")
    numbers = [number for each in await handed_in for number in each]
    assert len(set(numbers)) == CITIZENS * CASES_EACH

    states = await _settled(postgres_url)
    effects = Counter(effect.reference for effect in await bench.ledger() if effect.operation == "register")
    await bench.close()
    # Never doubled, never gone: what is delivered was registered once; what an officer must look into, at most once.
    assert {number: times for number, times in effects.items() if times > 1} == {}
    assert {number for number, state in states.items() if state == "delivered"} <= set(effects)
    assert set(states.values()) <= {"delivered", "needs_operator"}
    assert set(states) == set(numbers)
    assert set(effects) == set(numbers)


async def _hand_in_all(citizen: Citizen) -> list[str]:
    return [(await hand_in(citizen, tries=20))["number"] for _ in range(CASES_EACH)]


async def _settled(postgres_url: str) -> dict[str, str]:
    """Each case's delivery state once none is under way. Raises AssertionError where some stay so."""
    connection = await asyncpg.connect(driver_url(postgres_url))
    states: dict[str, str] = {}
    try:
        for _ in range(PATIENCE_S):
            rows = await connection.fetch("SELECT number, delivery_state FROM cases")
            states = {row["number"]: row["delivery_state"] for row in rows}
            if not {"queued", "delivering"} & set(states.values()):
                return states
            await asyncio.sleep(1)
    finally:
        await connection.close()
    raise AssertionError(Counter(states.values()))

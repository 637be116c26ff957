"""F07: the agency did it and its answer is lost, for every second registration: each is there once, and linked.

LOKET_F07_CASES=5000 is the whole of it, as in `make figures`.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in
from tests.harness.figures import Tell
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

CASES = int(os.environ.get("LOKET_F07_CASES", "60"))
AT_ONCE = 8
PATIENCE_S = 90 + CASES
pytestmark = pytest.mark.timeout(PATIENCE_S * 2)
_UNDER_WAY = "SELECT count(*) FROM cases WHERE delivery_state IN ('queued', 'delivering')"


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def settled(tables: Tables) -> dict[str, str]:
    """Each case's delivery state, once none is under way."""
    for _ in range(PATIENCE_S * 2):
        if not await tables.value(_UNDER_WAY):
            rows = await tables.rows("SELECT number, delivery_state FROM cases")
            return {row["number"]: row["delivery_state"] for row in rows}
        await tables.run("SELECT pg_sleep(0.5)")
    raise AssertionError(await tables.rows("SELECT state, reason, count(*) FROM deliveries GROUP BY 1, 2"))


async def test_nothing_is_doubled_and_nothing_lost(
    people: People, bench: HttpWorkbench, worker: Running, tables: Tables, tell: Tell
) -> None:
    await bench.fault("lost_answer", ["register"], rate=0.5)
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with room:
            citizen = await people.make()
            number = str((await hand_in(citizen, tries=20))["number"])
            # Thousands of them each hold a connection otherwise.
            await citizen.client.aclose()
            return number

    numbers = await asyncio.gather(*(one() for _ in range(CASES)))
    states = await settled(tables)
    await bench.heal()
    registered = Counter(effect.reference for effect in await bench.ledger() if effect.operation == "register")
    assert {number: times for number, times in registered.items() if times > 1} == {}
    assert set(registered) == set(numbers) == set(states)
    # Where the agency cannot tell, a person decides; nobody's matter is guessed at. Here it can, nearly always.
    assert set(states.values()) <= {"delivered", "needs_operator"}
    assert Counter(states.values())["needs_operator"] <= 0.05 * CASES
    lost = await tables.value("SELECT count(*) FROM delivery_attempts WHERE outcome = 'unknown'")
    assert lost >= 0.4 * CASES
    ours = {row["number"]: row["agency_reference"] for row in await tables.rows("SELECT * FROM cases")}
    theirs = {one.reference: one.data["no_pendaftaran"] for one in await bench.ledger() if one.operation == "register"}
    assert {number: ours[number] for number, state in states.items() if state == "delivered"} == {
        number: theirs[number] for number, state in states.items() if state == "delivered"
    }
    doubled, open_still = sum(times - 1 for times in registered.values()), Counter(states.values())["needs_operator"]
    tell(f"F07: {doubled} doubled of {CASES:,}, {lost:,} answers lost, {open_still} left to an officer")

"""F07: the answer is lost at once and the agency does it all the same, seconds later, while others are registered: it
is not sent again before that could have come, and found among them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest

from app.assembly import Product, build
from app.cases.delivery import Share
from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in
from tests.harness.people import People
from tests.harness.product import Api, Sandboxes
from tests.harness.tables import Tables
from tests.harness.workers import delivering

# The product waits for 50 s where a backend says nothing of it.
EFFECT_AFTER_S, LATE_EFFECT_S = 3.0, 5.0
OTHERS = 20
PATIENCE_S = 120
_STATES = "SELECT number, delivery_state, agency_reference FROM cases"


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    built = build(api.settings, "test")
    await built.cases.backends.controls.open()
    impatient = msgspec.structs.replace(built.cases, late_effects_s={"sicantik": LATE_EFFECT_S})
    yield msgspec.structs.replace(built, cases=impatient)
    await built.cases.backends.controls.close()
    await built.close()


@pytest.fixture
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def delivered(tables: Tables, count: int) -> dict[str, str]:
    """Each case's number at the agency, once so many have one. Raises AssertionError where they never do."""
    for _ in range(PATIENCE_S * 10):
        linked = {row["number"]: row["agency_reference"] for row in await tables.rows(_STATES)}
        if sum(reference is not None for reference in linked.values()) >= count:
            return linked
        await asyncio.sleep(0.1)
    raise AssertionError(await tables.rows("SELECT state, reason, count(*) FROM deliveries GROUP BY 1, 2"))


async def lost_one(tables: Tables) -> None:
    for _ in range(PATIENCE_S * 10):
        if await tables.value("SELECT count(*) FROM deliveries WHERE unknown"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no answer was lost")


async def test_what_comes_late_comes_once(
    product: Product, people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    await bench.fault("late_effect", ["register"], latency_ms=int(EFFECT_AFTER_S * 1000))
    ours = await hand_in(await people.make())
    async with delivering(product, "sicantik", Share(8, 400.0)):
        await lost_one(tables)
        come_by = time.monotonic() + 2 * EFFECT_AFTER_S
        await bench.heal()
        assert await bench.ledger() == []
        for _ in range(OTHERS):
            await hand_in(await people.make())
        linked = await delivered(tables, OTHERS + 1)
        # Had it been sent again at once, all were linked before the first sending came to its effect.
        await asyncio.sleep(max(0.0, come_by - time.monotonic()))
    registered = [effect for effect in await bench.ledger() if effect.operation == "register"]
    assert Counter(effect.reference for effect in registered) == Counter(linked.keys())
    assert {effect.reference: effect.data["no_pendaftaran"] for effect in registered} == linked
    # It was late indeed: looked for before it came, and more than one were registered before it.
    assert registered[0].reference != ours["number"]
    tries = await tables.rows(
        "SELECT outcome FROM delivery_attempts JOIN deliveries ON delivery_id = deliveries.id "
        "JOIN cases ON case_id = cases.id WHERE cases.number = $1 ORDER BY delivery_attempts.number",
        ours["number"],
    )
    assert [row["outcome"] for row in tries] == ["unknown"] * (len(tries) - 1) + ["delivered"]

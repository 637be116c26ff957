"""F31: a delivery that breaks whoever takes it is parked after a few tries; its neighbours hardly notice.

An officer can have it tried again.
"""

import statistics
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest

from app.assembly import Product
from app.cases.claims import claim
from app.cases.delivery import MOST_SURPRISES
from app.deliveries.acting import Acting
from app.deliveries.actions import retry
from app.sandbox.client import HttpWorkbench
from tests.harness.cases import delays_s, hand_in, is_delivered, until
from tests.harness.deliveries import delivery_of
from tests.harness.figures import Tell
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

NEIGHBOURS = 5
# Of a delay too short to compare: what a full machine adds to either side.
GRACE_S = 1.5
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def parked(tables: Tables, case: dict[str, Any]) -> dict[str, Any]:
    for _ in range(1200):
        [row] = await tables.rows(
            "SELECT state, reason, attempts, unknown FROM deliveries WHERE case_id = $1", UUID(case["id"])
        )
        if row["state"] == "needs_operator":
            return row
        await tables.run("SELECT pg_sleep(0.1)")
    raise AssertionError(await tables.rows("SELECT state, reason, attempts FROM deliveries"))


async def test_one_that_kills_its_workers_is_not_taken_for_ever(
    product: Product, people: People, start_process: Callable[..., Running], tables: Tables
) -> None:
    """Nobody lives to tell: what was begun and never ended counts."""
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    for _ in range(MOST_SURPRISES):
        async with product.database.connection() as connection:
            assert await claim(connection, delivery_id) is not None
        await tables.run("UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", delivery_id)
    working = start_process("work")
    found = await parked(tables, case)
    assert (found["reason"], found["unknown"]) == ("failed", True)
    working.stop()


async def test_parked_its_neighbours_unhurt_and_tried_again(
    product: Product,
    people: People,
    bench: HttpWorkbench,
    start_process: Callable[..., Running],
    tables: Tables,
    tell: Tell,
) -> None:
    citizen = await people.make()
    poison = await hand_in(citizen)
    case_id = UUID(poison["id"])
    healthy = await tables.value("SELECT form_enc FROM cases WHERE id = $1", case_id)
    await tables.run("UPDATE cases SET form_enc = 'poison' WHERE id = $1", case_id)
    start_process("work").wait_for("worker ready")
    beside = await delays_s(people, NEIGHBOURS)
    found = await parked(tables, poison)
    assert (found["reason"], found["attempts"], found["unknown"]) == ("failed", MOST_SURPRISES, True)
    alone = await delays_s(people, NEIGHBOURS)
    half_s, usual_s = statistics.median(beside), statistics.median(alone)
    tell(f"F31: delivered beside a poison job after {half_s:.2f} s, {half_s / usual_s:.2f} times as alone; asked 2")
    assert statistics.median(beside) <= 2 * statistics.median(alone) + GRACE_S, (beside, alone)
    outcomes = (
        "SELECT outcome FROM delivery_attempts JOIN deliveries ON id = delivery_id WHERE case_id = $1 ORDER BY number"
    )
    told = [row["outcome"] for row in await tables.rows(outcomes, case_id)]
    assert told == ["failed"] * (MOST_SURPRISES - 1) + ["needs_operator"]
    await tables.run("UPDATE cases SET form_enc = $2 WHERE id = $1", case_id, healthy)
    async with product.database.begin() as connection:
        acting = Acting("test", "test", "")
        await retry(connection, acting, await delivery_of(tables, poison), "Datanya sudah dipulihkan.", product.cases)
    await until(citizen, poison["id"], is_delivered, timeout_s=90)
    registered = [effect.reference for effect in await bench.ledger() if effect.reference == poison["number"]]
    assert len(registered) == 1

"""F06, end to end: cases are handed over through a network that breaks in every way while they are under way. Each is
there once, under our own number, and every try came to its end in time."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from app.assembly import Product, build
from app.cases.delivery import Share
from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in
from tests.harness.fault_proxy import MODES, FaultProxy, fault_proxy
from tests.harness.figures import Tell
from tests.harness.patience import with_budget
from tests.harness.people import People
from tests.harness.product import Api, Sandboxes
from tests.harness.tables import Tables
from tests.harness.workers import delivering

CASES = 24
# So that they last as long as the breaks do.
SHARE = Share(4, 6.0)
# The agency takes so long over each, so that a break meets some of them under way, and some with the effect done.
TAKES_MS = 100
# What a black hole swallows is found out after so long; what was cut may still come to its effect for so long.
BUDGET_S, LATE_EFFECT_S = 2.0, 3.0
BREAKS_FOR_S, WELL_FOR_S = 0.25, 0.25
MOST_S = 15.0
PATIENCE_S = 150
pytestmark = pytest.mark.timeout(PATIENCE_S * 2)


@pytest.fixture(scope="module")
def network(environment: dict[str, str]) -> Iterator[FaultProxy]:
    with fault_proxy(int(environment["LOKET_SANDBOX_PORT"])) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def product(api: Api, network: FaultProxy) -> AsyncIterator[Product]:
    """With the agency behind the network."""
    os.environ["LOKET_SICANTIK_URL"] = f"http://127.0.0.1:{network.port}/sicantik"
    built = build(api.settings, "test")
    del os.environ["LOKET_SICANTIK_URL"]
    client = built.found.clients["sicantik"]
    client.manifest = with_budget(client.manifest, BUDGET_S, ["register"])
    await built.cases.backends.controls.open()
    impatient = msgspec.structs.replace(built.cases, late_effects_s={"sicantik": LATE_EFFECT_S})
    yield msgspec.structs.replace(built, cases=impatient)
    await built.cases.backends.controls.close()
    await built.close()


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def test_each_is_there_once(
    product: Product, people: People, bench: HttpWorkbench, network: FaultProxy, tables: Tables, tell: Tell
) -> None:
    await bench.fault("ok", ["register"], latency_ms=TAKES_MS)
    # Each of another person: what two of one name handed in at once nobody could tell apart.
    for _ in range(CASES):
        await hand_in(await people.make())
    async with delivering(product, "sicantik", SHARE):
        for mode in itertools.chain(MODES, MODES):
            await asyncio.to_thread(network.set, mode)
            await asyncio.sleep(BREAKS_FOR_S)
            await asyncio.to_thread(network.heal)
            await asyncio.sleep(WELL_FOR_S)
        linked = await all_linked(tables)
    registered = [each for each in await bench.ledger() if each.operation == "register"]
    assert Counter(each.reference for each in registered) == Counter(linked.keys())
    assert {each.reference: each.data["no_pendaftaran"] for each in registered} == linked
    tries = await tables.rows(
        "SELECT outcome, extract(epoch FROM finished_at - started_at)::float AS seconds FROM delivery_attempts"
    )
    outcomes = Counter(row["outcome"] for row in tries)
    # Some were met under way, and some before.
    assert outcomes["unknown"]
    assert outcomes["unavailable"]
    slowest_s = max(row["seconds"] for row in tries)
    tell(f"F06: {CASES} handed over through {2 * len(MODES)} breaks of the network ({dict(outcomes)}): each there once")
    assert slowest_s < MOST_S, slowest_s


async def all_linked(tables: Tables) -> dict[str, str]:
    """Each case's number at the agency. Raises AssertionError where one never has its own."""
    for _ in range(PATIENCE_S * 10):
        rows = await tables.rows("SELECT number, agency_reference FROM cases")
        if all(row["agency_reference"] for row in rows):
            return {row["number"]: row["agency_reference"] for row in rows}
        await asyncio.sleep(0.1)
    raise AssertionError(await tables.rows("SELECT state, reason, detail, count(*) FROM deliveries GROUP BY 1, 2, 3"))

"""F09: callbacks in any order, early, late, or about nothing of ours: timelines only grow, nothing moves back, and what
is unknown is kept aside until it is ours."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest

from app.cases.states import ARROWS
from app.sandbox.client import HttpWorkbench
from tests.harness.callbacks import BACKEND, Caller, with_signed_callbacks
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import People
from tests.harness.product import Api, Running, Sandboxes, running_api
from tests.harness.tables import Tables

STATES = ("received", "checked", "granted", "rejected", "received again")
AT_ONCE = 20
UNKNOWN = [f"{number:05}012012026{number:04}"[:18] for number in range(70_000, 70_040)]


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    """The API with one integration more that is called by its backend."""
    with running_api(environment, with_signed_callbacks) as running:
        yield running


@pytest.fixture(scope="module")
async def caller(api: Api) -> AsyncIterator[Caller]:
    async with api.client() as client:
        yield Caller(client)


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


def assert_forward(case: dict[str, Any]) -> None:
    statuses = [event["status"] for event in case["timeline"]]
    for before, after in itertools.pairwise(statuses):
        assert before == after or after in ARROWS[before], statuses
    assert [event["seq"] for event in case["timeline"]] == list(range(1, len(statuses) + 1))


async def test_any_order_moves_nothing_back(
    people: People, bench: HttpWorkbench, worker: Running, tables: Tables, caller: Caller
) -> None:
    citizen = await people.make()
    opened = [await hand_in(citizen) for _ in range(3)]
    cases = [await until(citizen, case["id"], is_delivered, timeout_s=60) for case in opened]
    numbers = [case["delivery"]["reference"] for case in cases]
    mixed = [(number, state) for number in (*numbers, *UNKNOWN) for state in STATES]
    random.Random(9).shuffle(mixed)
    half = len(mixed) // 2
    assert {await caller.tell(*each) for each in mixed[:half]} == {200}
    for _ in range(4):
        for number in numbers:
            await bench.work(number)
    # Many at once, and yet fewer than wait in vain for a connection where the machine is slow: that is another fault.
    for at in range(half, len(mixed), AT_ONCE):
        assert set(await asyncio.gather(*(caller.tell(*each) for each in mixed[at : at + AT_ONCE]))) == {200}
    for case in cases:
        final = await until(citizen, case["id"], lambda now: now["status"] in ("approved", "completed"), timeout_s=60)
        assert_forward(final)
    for number in numbers:
        assert await caller.tell(number, "received, told much too late") == 200
    # The asker has been round once more for the others before anything is compared.
    await tables.run("UPDATE cases SET next_refresh_at = now() WHERE next_refresh_at IS NOT NULL")
    for case in cases:
        assert_forward((await citizen.get(f"/v1/cases/{case['id']}")).json())
    found = await tables.rows(
        "SELECT reference, count(*) AS told FROM callback_receipts WHERE backend = $1 AND outcome = 'unknown' "
        "GROUP BY reference",
        BACKEND,
    )
    assert {row["reference"]: row["told"] for row in found} == dict.fromkeys(UNKNOWN, len(STATES))
    assert await tables.value("SELECT count(*) FROM cases WHERE agency_reference = ANY($1)", UNKNOWN) == 0
    waiting = "SELECT reference, count(*) AS kept FROM stray_callbacks WHERE state = 'waiting' GROUP BY reference"
    assert {row["reference"]: row["kept"] for row in await tables.rows(waiting)} == dict.fromkeys(UNKNOWN, len(STATES))
    ids = [UUID(case["id"]) for case in cases]
    assert await tables.value("SELECT count(*) FROM cases WHERE id = ANY($1) AND status = 'submitted'", ids) == 0


async def test_what_comes_before_our_own_answer_is_acted_on_by_itself(
    people: People, worker: Running, tables: Tables, caller: Caller, bench: HttpWorkbench
) -> None:
    """The agency is quicker to call than its answer is to be written down: the worker finds out in its next round."""
    citizen = await people.make()
    case = await hand_in(citizen)
    number = (await until(citizen, case["id"], is_delivered, timeout_s=60))["delivery"]["reference"]
    hidden = "UPDATE cases SET agency_reference = $2, next_refresh_at = now() + interval '1 day' WHERE id = $1"
    await tables.run(hidden, UUID(case["id"]), None)
    assert await caller.tell(number, "received early") == 200
    kept = "SELECT state FROM stray_callbacks WHERE reference = $1"
    assert await tables.value(kept, number) == "waiting"
    for _ in range(4):
        await bench.work(number)
    await tables.run(hidden, UUID(case["id"]), number)
    final = await until(citizen, case["id"], lambda now: now["status"] in ("approved", "completed"), timeout_s=60)
    assert_forward(final)
    assert await tables.value(kept, number) == "matched"

"""F08: the same callback twenty times at once has one effect: we ask the agency once more; each step is told once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from app.sandbox.client import HttpWorkbench
from tests.harness.callbacks import BACKEND, Caller, with_signed_callbacks
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import People
from tests.harness.product import Api, Running, Sandboxes, running_api
from tests.harness.tables import Tables

TIMES = 20


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


async def test_twenty_at_once_have_one_effect(
    people: People, bench: HttpWorkbench, worker: Running, tables: Tables, caller: Caller
) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    shown = await until(citizen, case["id"], is_delivered, timeout_s=60)
    case_id, number = UUID(case["id"]), shown["delivery"]["reference"]
    await until(citizen, case["id"], lambda now: now["timeline"][-1]["kind"] == "step", timeout_s=60)
    # Nobody asks by himself any more: what happens now, happens because of the callback.
    for step in range(1, 4):
        await tables.run("UPDATE cases SET next_refresh_at = now() + interval '1 day' WHERE id = $1", case_id)
        before = await tables.value("SELECT last_event FROM cases WHERE id = $1", case_id)
        await bench.work(number)
        answers = await asyncio.gather(*(caller.tell(number, f"step {step}") for _ in range(TIMES)))
        assert set(answers) == {200}
        told = await until(citizen, case["id"], lambda now, before=before: len(now["timeline"]) > before, timeout_s=60)
        seqs = [event["seq"] for event in told["timeline"]]
        assert seqs == list(range(1, len(seqs) + 1))
        labels = [event["data"].get("label") for event in told["timeline"] if event["kind"] == "step"]
        assert len(labels) == len(set(labels))
        kinds = [event["kind"] for event in told["timeline"]]
        assert max(kinds.count(kind) for kind in set(kinds) - {"step"}) == 1
    receipts = await tables.rows(
        "SELECT times, outcome FROM callback_receipts WHERE backend = $1 AND reference = $2", BACKEND, number
    )
    assert receipts == [{"times": TIMES, "outcome": "asked"}] * 3

"""F27: a worker stopped past its lease wakes up after another took over: it sends nothing more, and writes nothing."""

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest

from app.agency_client import AgencyClient, Call
from app.assembly import Product
from app.cases.claims import MARGIN_S, Outcome, Stale, claim
from app.cases.settle import settle_case
from app.errors import AgencyUnavailable
from app.exchanges import noted_in
from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.deliveries import delivery_of
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

pytestmark = pytest.mark.timeout(300)
STANDS = "SELECT state, reference, fence, attempts, finished_at FROM deliveries WHERE case_id = $1"


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def test_asleep_before_it_sent_it_does_not_send(
    product: Product, people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    """The worst moment: taken, prepared, and not sent. By its own clock, which goes on in its sleep, time is over."""
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id, lease_s=MARGIN_S + 0.5)
        assert held is not None
        time.sleep(MARGIN_S + 0.6)  # noqa: ASYNC251 -- asleep is what this process is
        before = len(await bench.ledger())
        client: AgencyClient = product.found.clients["sicantik"]
        register = Call(operation="register", method="POST", path="/backoffice/api/pendaftaran", form=(("a", "b"),))
        with noted_in(held.said), pytest.raises(AgencyUnavailable):
            await client.call(register)
        assert len(await bench.ledger()) == before
        # Reading does no harm, and helps to find out.
        with noted_in(held.said):
            kinds = Call(operation="kinds", path="/backoffice/api/jenispermohonanlist")
            assert (await client.call(kinds)).status == 200
        newer = await claim(connection, delivery_id)
        assert newer is not None
        with pytest.raises(Stale):
            await settle_case(connection, held, Outcome(state="delivered", reference="0009901201112026"))
        await settle_case(connection, newer, Outcome(state="rejected", reason="refused"))


async def test_stopped_past_its_lease_and_woken(
    people: People,
    bench: HttpWorkbench,
    worker: Running,
    start_process: Callable[..., Running],
    tables: Tables,
) -> None:
    citizen = await people.make()
    # The agency does its part at once, and its answer takes longer than the worker is awake.
    await bench.fault("slow_body", ["register"])
    case = await hand_in(citizen)
    case_id = UUID(case["id"])
    for _ in range(600):
        if await bench.ledger():
            break
        await tables.run("SELECT pg_sleep(0.05)")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        await bench.heal()
        start_process("work").wait_for("worker ready")
        # The sleeper's lease runs out by itself, as its hold on the job does: nobody hurries the clock here.
        await until(citizen, case["id"], is_delivered, timeout_s=120)
        before = await tables.rows(STANDS, case_id)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    worker.wait_for("was taken over while this worker slept", 60)
    assert await tables.rows(STANDS, case_id) == before
    assert before[0]["fence"] == before[0]["attempts"] >= 2
    registered = [effect.reference for effect in await bench.ledger() if effect.operation == "register"]
    assert registered == [case["number"]]
    shown = (await citizen.get(f"/v1/cases/{case['id']}")).json()
    assert [event["kind"] for event in shown["timeline"]].count("delivered") == 1
    first = (
        "SELECT outcome, delivery_attempts.finished_at FROM delivery_attempts JOIN deliveries ON id = delivery_id "
        "WHERE number = 1 AND case_id = $1"
    )
    assert await tables.rows(first, case_id) == [{"outcome": None, "finished_at": None}]

"""F12: an agency that is down for 72 hours, and a backlog: all is kept, few calls are made in vain, and on its return
the backlog drains in order at the declared rate. What it outlasts comes before an officer, and can be tried again.

Hours pass on the clock of the database's rows. LOKET_F12_BACKLOG=50000 LOKET_F12_RATE=80 is the whole of it, as in
`make figures`.
"""

import asyncio
import os
import time
from bisect import bisect_left
from collections.abc import AsyncIterator

import pytest

from app import deskwork
from app.assembly import Product, build
from app.cases.delivery import Share
from app.cases.giving_up import give_up
from app.deliveries.acting import Acting
from app.deliveries.actions import retry_many
from app.deliveries.schemas import ManyRetried
from app.sandbox.client import HttpWorkbench
from app.sandbox.port import Effect
from tests.harness.backlog import many_like
from tests.harness.cases import hand_in
from tests.harness.door import Door, counting
from tests.harness.figures import Tell
from tests.harness.people import People
from tests.harness.product import Api, Sandboxes
from tests.harness.tables import Tables
from tests.harness.waiting import start_hearing
from tests.harness.workers import delivering

BACKLOG = int(os.environ.get("LOKET_F12_BACKLOG", "300"))
RATE = float(os.environ.get("LOKET_F12_RATE", "30"))
PLACES = 8
SHARE = Share(PLACES, RATE)
# Calls in vain beside those that had to be made.
MOST_CALLS = 1.1
# While it is down: until everybody knows, and then one after the other, as it asks to be left alone for a second.
MOST_UNTIL_SHUT = 10
MOST_KNOCKS_PER_S = 1.5
PATIENCE_S = 60 + 3 * BACKLOG / RATE
pytestmark = pytest.mark.timeout(int(120 + 2 * PATIENCE_S))


@pytest.fixture(scope="module")
async def door(sandboxes: Sandboxes) -> AsyncIterator[Door]:
    async with counting(sandboxes.url("sicantik")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(api: Api, door: Door) -> AsyncIterator[Product]:
    """With the agency behind the door, where each call is counted."""
    os.environ["LOKET_SICANTIK_URL"] = door.url
    built = build(api.settings, "test")
    del os.environ["LOKET_SICANTIK_URL"]
    await built.cases.backends.controls.open()
    yield built
    await built.cases.backends.controls.close()
    await built.close()


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


async def count_of(tables: Tables, *states: str) -> int:
    counted = "SELECT count(*) FROM deliveries WHERE state = ANY($1) AND operation = 'submit'"
    return int(await tables.value(counted, states))


async def reached(tables: Tables, state: str, count: int) -> None:
    """Until so many are in `state`. Raises AssertionError where it never comes to that."""
    for _ in range(int(PATIENCE_S / 0.25)):
        if await count_of(tables, state) >= count:
            return
        await tables.run("SELECT pg_sleep(0.25)")
    raise AssertionError(await tables.rows("SELECT state, reason, count(*) FROM deliveries GROUP BY 1, 2"))


async def knocked(door: Door, times: int) -> None:
    """Until it was asked so many times in all, in vain. Raises AssertionError where nobody asks."""
    for _ in range(int(PATIENCE_S / 0.05)):
        if len(door.passed) >= times:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(door.passed)} of {times}")


async def hours_pass(tables: Tables, hours: int) -> None:
    await tables.run(
        "UPDATE deliveries SET created_at = created_at - $1 * interval '1 hour', "
        "first_tried_at = first_tried_at - $1 * interval '1 hour' WHERE state IN ('queued', 'delivering')",
        hours,
    )
    await tables.run(
        "UPDATE backend_health SET ok_at = ok_at - $1 * interval '1 hour', "
        "failed_at = failed_at - $1 * interval '1 hour'",
        hours,
    )


async def test_all_is_kept_and_drains_in_order_at_the_agencys_rate(
    product: Product, people: People, bench: HttpWorkbench, door: Door, tables: Tables, tell: Tell
) -> None:
    first = await hand_in(await people.make())
    await bench.fault("error_503")
    await many_like(tables, first, BACKLOG - 1)
    began = time.monotonic()
    async with delivering(product, "sicantik", SHARE):
        # It is down, and knocked at now and then: before as after three days.
        await knocked(door, 2)
        await hours_pass(tables, 71)
        await knocked(door, len(door.passed) + 1)
        assert await give_up(product.cases) == 0
        assert await count_of(tables, "queued", "delivering") == BACKLOG
        assert await bench.ledger() == []
        in_vain = len(door.passed)
        assert in_vain <= MOST_UNTIL_SHUT + PLACES + MOST_KNOCKS_PER_S * (time.monotonic() - began), in_vain
        await bench.heal()
        await reached(tables, "delivered", BACKLOG)
    registered = [effect for effect in await bench.ledger() if effect.operation == "register"]
    assert len({effect.reference for effect in registered}) == len(registered) == BACKLOG
    assert_at_most_the_rate(registered)
    overtaken = most_overtaken(registered)
    # By no more than were in hand while the agency was down.
    assert overtaken <= PLACES * 16 + 64, overtaken
    sent = [one for one in door.passed if one.path.endswith("/pendaftaran")]
    assert len(sent) <= MOST_CALLS * BACKLOG, (len(sent), in_vain)
    took_s = (registered[-1].at - registered[0].at).total_seconds()
    tell(
        f"F12: {BACKLOG:,} kept and each there once, drained in {took_s:.0f} s at {BACKLOG / took_s:.1f}/s of at most "
        f"{RATE:g}/s, none more than {overtaken} places out of turn; {in_vain} calls in vain while it was down"
    )


def assert_at_most_the_rate(registered: list[Effect]) -> None:
    """In no five seconds more than the agency's rate, and 5 %: as the agency's own ledger has it."""
    times = sorted(effect.at.timestamp() for effect in registered)
    most = max(bisect_left(times, begun + 5) - place for place, begun in enumerate(times))
    # Calls that were sent in turn may arrive together: as many as may be under way.
    assert most <= RATE * 5 * 1.05 + PLACES, most


def most_overtaken(registered: list[Effect]) -> int:
    """How far from its place in the order of handing in any of them came."""
    order = [effect.reference for effect in sorted(registered, key=lambda each: each.at)]
    expected = sorted(order, key=lambda number: (len(number), number))
    places = {number: place for place, number in enumerate(expected)}
    return max(abs(places[number] - place) for place, number in enumerate(order))


async def test_what_it_outlasts_comes_before_an_officer_and_is_tried_again(
    product: Product, people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    await tables.run("DELETE FROM deliveries")
    before = len(await bench.ledger())
    await bench.fault("error_503")
    citizen = await people.make()
    first = await hand_in(citizen)
    await many_like(tables, first, 9)
    await tables.run("UPDATE backend_health SET ok_at = NULL, failed_at = now(), consecutive_failures = 9")
    await hours_pass(tables, 73)
    # Those that nobody ever tried, too: they stood behind the one that knocks.
    assert await give_up(product.cases) == 10
    assert await give_up(product.cases) == 0
    assert await count_of(tables, "needs_operator") == 10
    told = (await citizen.get(f"/v1/cases/{first['id']}")).json()
    assert (told["delivery"]["state"], told["timeline"][-1]["kind"]) == ("needs_operator", "with_officer")
    await bench.heal()
    async with product.database.begin() as connection:
        asked = ManyRetried("Sistemnya sudah hidup lagi.", backend="sicantik")
        done = await retry_many(connection, Acting("test", "test", ""), asked, product.cases)
    assert (len(done.retried), done.refused, done.left) == (10, [], 0)
    async with delivering(product, "sicantik", SHARE):
        await reached(tables, "delivered", 10)
    assert len([effect for effect in await bench.ledger() if effect.operation == "register"]) == before + 10
    assert (await citizen.get(f"/v1/cases/{first['id']}")).json()["delivery"]["state"] == "delivered"


async def test_an_operator_who_knows_that_it_is_back_need_not_wait(
    api: Api, product: Product, people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    """One case alone, put off for an hour, and breakers shut: `loket deliveries try-now` has it sent at once."""
    await tables.run("DELETE FROM deliveries")
    await start_hearing(product.valkey)
    await bench.fault("error_503")
    await hand_in(await people.make())
    async with delivering(product, "sicantik", SHARE):
        await until_true(tables, "SELECT count(*) = 1 FROM deliveries WHERE attempts > 0 AND next_try_at > now()")
        put_off = "UPDATE pgqueuer SET execute_after = now() + interval '1 hour' WHERE status = 'queued' RETURNING 1"
        await until_true(tables, put_off)
        await bench.heal()
        await deskwork.try_now(api.settings, "sicantik", "Sistemnya sudah hidup lagi.", "ops")
        await reached(tables, "delivered", 1)
    assert await tables.value("SELECT actor_id FROM audit_rows WHERE action = 'backend.tried_now'") == "ops"


async def until_true(tables: Tables, statement: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await tables.value(statement):  # noqa: ASYNC110 -- what is waited for happens in PostgreSQL
            await asyncio.sleep(0.02)

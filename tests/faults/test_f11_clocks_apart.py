"""F11: an agency's clock, or Valkey's, may be minutes or hours away, and our own may step: nothing here waits, hurries,
ends or happens twice because of it."""

import asyncio
import functools
import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime

import jwt.api_jwt
import msgspec
import pytest

import app.database
from app.assembly import Product
from app.backends.breaker import Shut
from app.cases.claims import Busy, claim
from app.cases.delivery import Share
from app.cases.sweep import sweep_deliveries
from app.errors import AgencyUnavailable
from app.ids import uuid7
from app.login.tokens import ACCESS_TOKEN_S, LEEWAY_S, AccessTokens
from app.settings import ROOT
from tests.app.login.journey import Journey, somebody
from tests.harness.calling import READ, calling, new_name
from tests.harness.cases import hand_in
from tests.harness.deliveries import delivery_of
from tests.harness.listener import answering
from tests.harness.people import People
from tests.harness.product import Sandboxes
from tests.harness.tables import Tables
from tests.harness.workers import delivering

# Where the time of day is what is meant: what is signed, shown or stored. No wait and no limit is counted by it.
BY_THE_CLOCK = re.compile(r"time\.time\(|datetime\.now\(")
TIMERS = [
    "app/backends",
    "app/agency_client.py",
    "app/agency_wire.py",
    "app/agency_token.py",
    "app/cases/gates.py",
    # Leases of deliveries and jobs are PostgreSQL's to count, for all machines alike.
    "app/cases/claims.py",
    "app/cases/sweep.py",
    "app/jobs.py",
]
STEPS_S = (3600, -3600)
MOST_LEEWAY_S = 60


@pytest.mark.parametrize("apart_s", [-600, 600, 0, 3600 * 24])
async def test_a_date_to_come_back_is_read_by_the_agencys_own_clock(apart_s: int) -> None:
    theirs = datetime.now(UTC) + timedelta(seconds=apart_s)
    dates = f"Date: {format_datetime(theirs, usegmt=True)}\r\n"
    dates += f"Retry-After: {format_datetime(theirs + timedelta(seconds=20), usegmt=True)}\r\n"
    async with calling(answering("503 Service Unavailable", headers=dates)) as (caller, _server):
        with pytest.raises(AgencyUnavailable) as told:
            await caller.client.call(READ)
    assert told.value.retry_after_s == 20


async def test_a_breaker_that_is_open_until_tomorrow_by_valkeys_clock_is_tried_all_the_same(valkey_url: str) -> None:
    async with calling(answering("500 Internal Server Error"), valkey_url) as (caller, _server):
        for _ in range(5):
            await caller.client.call(READ)
        breaker = caller.client._breakers["read"]
        tomorrow_ms = int((time.time() + 86_400) * 1000)
        script = "return redis.call('HSET', KEYS[1], 'opens', ARGV[1])"
        await caller.valkey.run_script(script, [breaker.key], [tomorrow_ms])
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await breaker.enter() == "probe"
                    break
                except Shut as shut:
                    await asyncio.sleep(min(shut.wait_s, 0.1))


async def test_a_turn_that_valkeys_clock_puts_off_until_tomorrow_is_taken_now(valkey_url: str) -> None:
    name = new_name()
    async with calling(answering(), valkey_url) as (caller, _server):
        tomorrow_us = int((time.time() + 86_400) * 1e6)
        script = "return redis.call('SET', KEYS[1], ARGV[1])"
        await caller.valkey.run_script(script, [f"pace:{name}"], [tomorrow_us])
        began = time.monotonic()
        await caller.backends.pace.turn(name, 50, 2)
        assert time.monotonic() - began < 1


def test_no_timer_of_calls_goes_by_the_clock() -> None:
    """Only a Retry-After date is compared with a time of day, where the agency tells none of its own."""
    paths = [
        path for place in TIMERS for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).glob("*.py"))
    ]
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in paths
        for line in path.read_text("utf-8").splitlines()
        if BY_THE_CLOCK.search(line)
    }
    assert found == {"app/agency_client.py: return datetime.now(UTC)"}


def step(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Our time of day, as the product and its tokens read it in this process. What runs by itself goes on."""
    real = time.time

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # a plain one, as everywhere
            return datetime.now(tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(time, "time", lambda: real() + seconds)
    monkeypatch.setattr(jwt.api_jwt, "datetime", Stepped)
    monkeypatch.setattr(app.database, "datetime", Stepped)


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_step_of_our_clock_ends_no_token_early_and_none_late(
    people: People, product: Product, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    citizen = await people.make()
    assert (await citizen.get("/v1/me")).status_code == 200
    step(monkeypatch, step_s)
    assert (await citizen.get("/v1/me")).status_code == 200
    await product.gate.keys.open()
    tokens = AccessTokens(product.gate.keys, product.settings.issuer)
    made = tokens.issue(citizen.id, uuid7(), 1)
    ends_s = (await tokens.verify(made)).ends_s
    monkeypatch.undo()
    assert (await tokens.verify(made)).ends_s == ends_s
    assert ends_s - time.monotonic() == pytest.approx(ACCESS_TOKEN_S + LEEWAY_S, abs=10)
    assert LEEWAY_S <= MOST_LEEWAY_S
    assert (await citizen.get("/v1/me")).status_code == 200


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_who_is_logged_in_stays_so(journey: Journey, monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    """A login, a refresh and a look, before, during and after a step of our clock: nobody has to log in anew."""
    person = somebody()
    held = await journey.register(person)
    async with journey.api.client() as client:
        for change in (functools.partial(step, monkeypatch, step_s), monkeypatch.undo):
            change()
            refreshed = await journey.refresh(client, held["refresh_token"])
            assert refreshed.status_code in (200, 201), refreshed.text
            held = refreshed.json()
            bearer = {"Authorization": f"Bearer {held['access_token']}"}
            assert (await client.get("/v1/me", headers=bearer)).status_code == 200
        assert (await journey.log_in(person))["access_token"]


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_no_job_runs_twice(
    people: People,
    product: Product,
    sandboxes: Sandboxes,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    step_s: int,
) -> None:
    """Under way while our clock steps: its lease is not over for anybody."""
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    async with product.database.connection() as connection:
        assert await claim(connection, delivery_id) is not None
        step(monkeypatch, step_s)
        with pytest.raises(Busy):
            await claim(connection, delivery_id)
    await sweep_deliveries(product.cases)
    assert await tables.value("SELECT fence FROM deliveries WHERE id = $1", delivery_id) == 1
    await tables.run("UPDATE deliveries SET lease_until = now() WHERE id = $1", delivery_id)
    # What a worker took and did not end may yet come to its effect: nobody waits half a minute for that here.
    impatient = msgspec.structs.replace(product.cases, late_effects_s={"sicantik": 1.0})
    at_work = msgspec.structs.replace(product, cases=impatient)
    async with sandboxes.bench("sicantik") as bench, delivering(at_work, "sicantik", Share(4, 50.0)):
        await sweep_deliveries(product.cases)
        for _ in range(600):
            if await tables.value("SELECT delivery_state = 'delivered' FROM cases WHERE number = $1", case["number"]):
                break
            await asyncio.sleep(0.1)
        monkeypatch.undo()
        done = [each.reference for each in await bench.ledger() if each.operation == "register"]
    assert done.count(case["number"]) == 1

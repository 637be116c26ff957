"""F11: an agency's clock, or Valkey's, may be minutes or hours away: nothing here waits or hurries because of it."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.backends.breaker import Shut
from app.errors import AgencyUnavailable
from app.settings import ROOT
from tests.harness.calling import READ, calling, new_name
from tests.harness.listener import answering

# Where the time of day is what is meant: what is signed, shown or stored. No wait and no limit is counted by it.
BY_THE_CLOCK = re.compile(r"time\.time\(|datetime\.now\(")
TIMERS = ["app/backends", "app/agency_client.py", "app/agency_wire.py", "app/agency_token.py", "app/cases/gates.py"]


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

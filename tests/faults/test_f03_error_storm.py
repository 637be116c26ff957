"""F03: an agency that answers 500 and 503 is asked hardly more often than it would be, and left alone as it asks."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Iterable

import pytest

from app.errors import AgencyUnavailable
from app.manifest import OperationPolicy
from tests.harness.calling import READ, WRITE, Wish, calling, calling_from, new_name
from tests.harness.listener import Behaviour, answering, listening
from tests.harness.waiting import until

STAY_SHUT = OperationPolicy(safe=True, breaker_pause_s=30, breaker_longest_pause_s=30)
MOST_CALLS_BEFORE_SHUT = 10
MOST_AMPLIFIED = 1.1


def now_and_then(status: str, every: int) -> Behaviour:
    """Every so-manieth answer is a failure."""
    good, bad = answering(), answering(status)
    seen = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await (bad if seen % every == 0 else good)(reader, writer)

    return behave


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "502 Bad Gateway"])
@pytest.mark.parametrize("how_many", [1, 3], ids=["one process", "three processes"])
async def test_it_is_shut_within_ten_calls(status: str, how_many: int, valkey_url: str) -> None:
    wish = Wish(name=new_name(), operations={"read": STAY_SHUT})
    async with listening(answering(status)) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with (
            calling_from(url, valkey_url, wish) as one,
            calling_from(url, valkey_url, wish) as two,
            calling_from(url, valkey_url, wish) as three,
        ):
            for turn in range(100):
                caller = (one, two, three)[turn % how_many]
                try:
                    await caller.client.call(READ)
                except AgencyUnavailable as error:
                    if error.code == "breaker_open":
                        break
            else:
                pytest.fail("a hundred calls, and it is still asked")
            assert len(server.requests) <= MOST_CALLS_BEFORE_SHUT


def flapping() -> Behaviour:
    """Six answers of ten are failures, never more than three in a row."""
    good, bad = answering(), answering("500 Internal Server Error")
    behaviours = itertools.cycle([bad, bad, bad, good, good])

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(behaviours)(reader, writer)

    return behave


async def _each(calls: Iterable[Awaitable[object]]) -> None:
    for call in calls:
        await call


async def test_one_that_fails_more_often_than_not_is_shut_too(valkey_url: str) -> None:
    async with calling(flapping(), valkey_url, Wish(operations={"read": STAY_SHUT})) as (caller, server):
        calls = (caller.client.call(READ) for _ in range(100))
        with pytest.raises(AgencyUnavailable, match="breaker_open"):
            await _each(calls)
        [state] = [each for each in await caller.backends.breakers.states() if each.operation == "read"]
    assert len(server.requests) <= MOST_CALLS_BEFORE_SHUT + 1
    assert (state.state, state.why) == ("open", "share")
    assert state.failed / state.calls >= STAY_SHUT.breaker_share


async def test_retries_are_a_tenth_at_most(valkey_url: str) -> None:
    asked = 400
    async with calling(now_and_then("503 Service Unavailable", 3), valkey_url, Wish()) as (caller, server):
        for _ in range(asked):
            try:
                await caller.client.call(READ)
            except AgencyUnavailable:
                continue
    assert asked < len(server.requests) <= asked * MOST_AMPLIFIED


async def test_a_retry_is_paid_for_and_helps(valkey_url: str) -> None:
    async with calling(now_and_then("503 Service Unavailable", 30), valkey_url, Wish()) as (caller, server):
        for _ in range(200):
            assert (await caller.client.call(READ)).status == 200
    assert len(server.requests) > 200


async def test_what_may_have_an_effect_is_never_sent_again(valkey_url: str) -> None:
    async with calling(answering("500 Internal Server Error"), valkey_url, Wish()) as (caller, server):
        for _ in range(4):
            await caller.client.call(WRITE)
        assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_what_it_asks_for_it_gets_from_all_processes(status: str, valkey_url: str) -> None:
    wish = Wish(name=new_name())
    async with listening(answering(status, headers="Retry-After: 2\r\n")) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with calling_from(url, valkey_url, wish) as one, calling_from(url, valkey_url, wish) as other:
            with pytest.raises(AgencyUnavailable) as first:
                await one.client.call(READ)
            assert first.value.retry_after_s == 2
            left_alone_since = time.monotonic()
            breaker = other.client._breakers["read"]
            await until(lambda: not breaker.is_plain)
            while len(server.requests) == 1:
                for caller in (one, other):
                    with pytest.raises(AgencyUnavailable):
                        await caller.client.call(READ)
                await asyncio.sleep(0.02)
            assert time.monotonic() - left_alone_since >= 1.9

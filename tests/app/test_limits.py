"""Rate limits: one count over all processes, and still strict where Valkey is dead."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.errors import TooManyRequests
from app.ids import uuid7
from app.limits import Hit, Limiter, LocalWindows
from app.valkey import Valkey

LIMIT = 20
PATIENT_S = 10  # a busy machine is no dead Valkey


@pytest.fixture
async def two(valkey_url: str) -> AsyncIterator[tuple[Limiter, Limiter]]:
    """Limiters of two processes on one Valkey."""
    async with AsyncExitStack() as stack:
        valkeys = [Valkey(valkey_url, budget_s=PATIENT_S) for _ in range(2)]
        for valkey in valkeys:
            stack.push_async_callback(valkey.close)
        yield Limiter(valkeys[0], lifted=False), Limiter(valkeys[1], lifted=False)


async def passed(limiter: Limiter, key: str, *, limit: int = LIMIT, period_s: int = 60) -> bool:
    try:
        await limiter.hit("test", key, limit=limit, period_s=period_s)
    except TooManyRequests:
        return False
    return True


async def test_two_processes_share_one_count(two: tuple[Limiter, Limiter]) -> None:
    key = uuid7().hex
    through = 0
    for _ in range(LIMIT):
        through += sum(await asyncio.gather(*(passed(limiter, key) for limiter in two)))
    assert through == LIMIT


async def test_keys_and_names_are_counted_apart(two: tuple[Limiter, Limiter]) -> None:
    key = uuid7().hex
    assert await passed(two[0], key, limit=1)
    assert not await passed(two[1], key, limit=1)
    assert await passed(two[1], uuid7().hex, limit=1)
    await two[0].hit("other", key, limit=1, period_s=60)


async def test_the_window_ends_and_says_when(two: tuple[Limiter, Limiter]) -> None:
    key = uuid7().hex
    assert await passed(two[0], key, limit=1, period_s=1)
    with pytest.raises(TooManyRequests) as refused:
        await two[1].hit("test", key, limit=1, period_s=1)
    assert refused.value.retry_after_s == 1
    await asyncio.sleep(1.05)
    assert await passed(two[1], key, limit=1, period_s=1)


async def test_all_keys_of_a_try_are_counted_or_none(two: tuple[Limiter, Limiter]) -> None:
    account, address = (Hit("test", uuid7().hex, limit, 60) for limit in (3, 5))
    for _ in range(3):
        await two[0].count(account, address)
    for _ in range(10):
        with pytest.raises(TooManyRequests):
            await two[1].count(account, address)
    through = [await passed(two[0], address.key, limit=5) for _ in range(3)]
    assert through == [True, True, False], "refused tries of one account used up nothing of the address"


async def test_many_keys_at_once_from_two_processes_are_never_one_too_many(two: tuple[Limiter, Limiter]) -> None:
    account, address = (Hit("test", uuid7().hex, limit, 60) for limit in (7, 1000))
    asked = [two[n % 2].count(account, address) for n in range(60)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers.count(None) == 7
    assert all(isinstance(answer, TooManyRequests) for answer in answers if answer is not None)


async def test_a_count_without_an_end_is_begun_anew(two: tuple[Limiter, Limiter], valkey_url: str) -> None:
    hit = Hit("test", uuid7().hex, 1, 60)
    valkey = Valkey(valkey_url, budget_s=PATIENT_S)
    await valkey.run_script("return redis.call('SET', KEYS[1], 99)", [hit.place], [])
    await valkey.close()
    await two[0].count(hit)
    with pytest.raises(TooManyRequests) as refused:
        await two[0].count(hit)
    assert 0 < (refused.value.retry_after_s or 0) <= 60


async def test_with_valkey_dead_all_keys_are_counted_or_none() -> None:
    valkey = Valkey("redis://127.0.0.1:1/0")
    limiter = Limiter(valkey, lifted=False)
    account, address = (Hit("test", uuid7().hex, limit, 60) for limit in (4, 12))
    await limiter.count(account, address)
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await limiter.count(account, address)
    assert [await passed(limiter, address.key, limit=12) for _ in range(3)] == [True, True, False]
    await valkey.close()


async def test_with_valkey_dead_each_process_is_stricter_and_quick() -> None:
    valkey = Valkey("redis://127.0.0.1:1/0")
    limiter = Limiter(valkey, lifted=False)
    key = uuid7().hex
    began = time.monotonic()
    through = [await passed(limiter, key) for _ in range(LIMIT)]
    await valkey.close()
    assert 1 <= sum(through) < LIMIT
    assert through == sorted(through, reverse=True)
    assert time.monotonic() - began < 3


async def test_lifted_limits_never_refuse(two: tuple[Limiter, Limiter], valkey_url: str) -> None:
    valkey = Valkey(valkey_url)
    limiter = Limiter(valkey, lifted=True)
    key = uuid7().hex
    assert all([await passed(limiter, key, limit=1) for _ in range(5)])
    assert limiter.hit_here(key, limit=1, period_s=60) is None
    await valkey.close()


def test_a_local_window_counts_down_and_refuses() -> None:
    windows = LocalWindows()
    told = [windows.hit("k", 3, 60) for _ in range(3)]
    assert [each.remaining for each in told] == [2, 1, 0]
    assert all(1 <= each.reset_s <= 60 for each in told)
    with pytest.raises(TooManyRequests) as refused:
        windows.hit("k", 3, 60)
    assert refused.value.retry_after_s is not None
    assert windows.hit("other", 3, 60).remaining == 2


def test_local_windows_do_not_grow_without_end() -> None:
    windows = LocalWindows()
    for number in range(60_000):
        windows.hit(f"address {number}", 5, 60)
    assert len(windows._windows) <= 50_000

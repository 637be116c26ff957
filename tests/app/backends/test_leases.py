"""An agency's places held by several processes: no round trip where they suffice, and fair where they do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from app.backends import leases
from app.backends.leases import Leases, SharedPlaces
from app.manifest import IntegrationManifest
from app.valkey import Valkey
from tests.harness.calling import NOWHERE, Wish, manifest_of, new_name
from tests.harness.waiting import PATIENT_S, start_hearing, until

CAP = 4
MANIFEST: IntegrationManifest = manifest_of(Wish(concurrency=CAP))


@asynccontextmanager
async def processes(valkey_url: str, how_many: int = 2, name: str = "") -> AsyncIterator[list[SharedPlaces]]:
    """As many processes' places at one agency: each knows of the others through Valkey alone."""
    name, opened = name or new_name(), []
    async with AsyncExitStack() as stack:
        for _ in range(how_many):
            valkey = Valkey(valkey_url)
            stack.push_async_callback(valkey.close)
            shared = Leases(valkey)
            stack.push_async_callback(shared.close)
            opened.append(shared.of(name, MANIFEST))
            await start_hearing(valkey)
        # All of them have met.
        for places in opened:
            async with places:
                pass
        yield opened


async def taken(places: SharedPlaces, how_many: int, stack: AsyncExitStack) -> None:
    async with asyncio.timeout(PATIENT_S):
        for _ in range(how_many):
            await stack.enter_async_context(places)


async def test_a_call_costs_no_round_trip(valkey_url: str) -> None:
    async with processes(valkey_url, 1) as [one]:
        asked = one._number
        for _ in range(500):
            async with one:
                pass
        # Once a second it says that it lives, and nothing else.
        assert one._number - asked <= 3


async def test_one_alone_has_them_all_and_idle_ones_go_to_whoever_wants_them(valkey_url: str) -> None:
    async with processes(valkey_url) as (one, other):
        for busy in (one, other):
            async with AsyncExitStack() as stack:
                await taken(busy, CAP, stack)
                assert busy.is_full
                assert busy.used == CAP


async def test_who_has_more_than_a_fair_part_gives_back(valkey_url: str) -> None:
    async with processes(valkey_url) as (greedy, other):
        stop = asyncio.Event()

        async def keep_busy() -> None:
            while not stop.is_set():
                async with greedy:
                    await asyncio.sleep(0.01)

        crowd = [asyncio.create_task(keep_busy()) for _ in range(CAP * 3)]
        await until(lambda: greedy.used == CAP)
        async with AsyncExitStack() as stack:
            await taken(other, CAP // 2, stack)
            assert greedy.used <= CAP // 2
        stop.set()
        await asyncio.gather(*crowd)


async def test_more_processes_than_places_take_turns(valkey_url: str) -> None:
    async with processes(valkey_url, CAP + 2) as all_of_them:
        most, stop = 0, asyncio.Event()

        async def keep_busy(places: SharedPlaces) -> None:
            nonlocal most
            while not stop.is_set():
                async with places:
                    most = max(most, sum(each.used for each in all_of_them))
                    await asyncio.sleep(0.01)

        crowd = [asyncio.create_task(keep_busy(each)) for each in all_of_them for _ in range(2)]
        before = [each.taken for each in all_of_them]
        await until(lambda: all(each.taken >= so_far + 5 for each, so_far in zip(all_of_them, before, strict=True)))
        stop.set()
        await asyncio.gather(*crowd)
        assert most == CAP


async def test_a_process_that_died_is_waited_for_and_no_longer(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.5)
    async with processes(valkey_url) as (dead, other), AsyncExitStack() as stack:
        dead._longest_call_s = other._longest_call_s = 0.5
        await taken(dead, CAP, stack)
        assert dead._task
        dead._task.cancel()
        begun = asyncio.get_running_loop().time()
        async with AsyncExitStack() as later:
            await taken(other, CAP, later)
        assert asyncio.get_running_loop().time() - begun > 0.9


async def test_a_word_that_comes_late_changes_nothing(valkey_url: str) -> None:
    async with processes(valkey_url, 1) as [one], AsyncExitStack() as stack:
        await taken(one, CAP, stack)
        await until(lambda: one._held == CAP)
        one._number -= 2
        assert not await one._claim()
        assert one._held == CAP


async def test_a_step_of_valkeys_clock_ends_no_lease(valkey_url: str) -> None:
    name = new_name()
    async with processes(valkey_url, 2, name) as (one, other), AsyncExitStack() as stack:
        await taken(one, CAP, stack)
        async with Redis.from_url(valkey_url) as client:
            before, at = (await client.hget(f"places:{name}", "@") or b"").split()
            for step_ms in (-3_600_000, 3_600_000):
                await client.hset(f"places:{name}", "@", f"{int(before) + step_ms} {int(at)}")
                assert await other._claim()
                assert other._held == 0
                assert other.limit == 0


async def test_without_valkey_a_process_keeps_to_a_part() -> None:
    valkey = Valkey(NOWHERE)
    shared = Leases(valkey)
    places = shared.of(new_name(), MANIFEST)
    async with asyncio.timeout(PATIENT_S), places:
        assert places.limit == CAP // leases._LOCAL_SHARE
        assert places.is_full
    await shared.close()
    await valkey.close()


async def test_who_leaves_in_good_order_leaves_nothing_behind(valkey_url: str) -> None:
    name = new_name()
    async with processes(valkey_url, 1, name):
        pass
    async with Redis.from_url(valkey_url) as client:
        assert await client.hkeys(f"places:{name}") == [b"@"]


async def test_a_paused_process_begins_nothing_until_it_has_asked(valkey_url: str) -> None:
    async with processes(valkey_url, 1) as [one]:
        one._lease_ends = 0.0
        assert one.limit == 0
        async with asyncio.timeout(PATIENT_S), one:
            assert one.used == 1

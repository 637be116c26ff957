"""F02: an agency's cap holds over all processes together, also when one is killed, or Valkey killed or emptied."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from tests.harness.calling import new_name
from tests.harness.crowd import Crowd
from tests.harness.listener import listening
from tests.harness.own_valkey import own_valkey
from tests.harness.waiting import until

# Several processes are started, leases have to end, and the machine may be busy.
pytestmark = pytest.mark.timeout(180)

CAP = 4
BUDGET_S = 1.0
PATHS = ["/one", "/two", "/three"]


class InFlight:
    """What an agency that never answers sees: how many calls are with it at once, and how many came, by path."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.came: Counter[str] = Counter()
        self.most = 0
        # When most were there: who, and what had happened until then.
        self.worst = ""
        self.phase = "start"

    @property
    def sum(self) -> int:
        return self.now.total()

    @asynccontextmanager
    async def hanging(self) -> AsyncIterator[str]:
        """Its address."""
        async with listening(self._hang) as server:
            self._requests = server.requests
            yield f"http://127.0.0.1:{server.port}"

    async def _hang(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        path = self._requests[-1].split(b" ")[1].decode()
        self.now[path] += 1
        self.came[path] += 1
        if self.sum > self.most:
            self.most, self.worst = self.sum, f"{self.phase}: {dict(self.now)} of {dict(self.came)}"
        try:
            await reader.read()  # until the caller hangs up
        finally:
            self.now[path] -= 1
        raise ConnectionResetError


async def test_processes_together_keep_to_the_cap_and_a_killed_ones_places_come_back(valkey_url: str) -> None:
    seen = InFlight()
    async with (
        seen.hanging() as url,
        Crowd(url, valkey_url, new_name(), CAP, BUDGET_S).asking(PATHS) as [killed, *_],
    ):
        await until(lambda: all(seen.came[path] >= 3 for path in PATHS), 60)
        await until(lambda: seen.sum == CAP, 60)
        killed.kill()
        await killed.wait()
        await until(lambda: seen.now["/one"] == 0)
        # All of them again, for the two that are left.
        await until(lambda: seen.sum == CAP, 60)
        so_far = seen.came["/two"], seen.came["/three"]
        await until(lambda: seen.came["/two"] > so_far[0] + 2 and seen.came["/three"] > so_far[1] + 2, 60)
    assert seen.most == CAP, seen.worst


async def test_without_valkey_everybody_keeps_to_a_share_and_afterwards_to_the_cap_again() -> None:
    seen = InFlight()
    with own_valkey() as valkey:
        async with (
            seen.hanging() as url,
            Crowd(url, valkey.url, new_name(), CAP, BUDGET_S).asking(PATHS),
        ):
            await until(lambda: all(seen.came[path] >= 2 for path in PATHS) and seen.sum == CAP, 60)
            # Until everybody has heard of everybody.
            await go_on(seen, 3)
            seen.phase = "killed"
            await asyncio.to_thread(valkey.kill)
            await go_on(seen)
            # By then no lease counts any more, and each has its share: all of the cap is in use again.
            await until(lambda: seen.sum == CAP and all(seen.now[path] for path in PATHS), 60)
            seen.phase = "started"
            await asyncio.to_thread(valkey.start)
            await go_on(seen)
            seen.phase = "flushed"
            async with Redis.from_url(valkey.url) as client:
                await client.flushall()
            await go_on(seen)
            await until(lambda: seen.sum == CAP, 60)
    assert seen.most == CAP, seen.worst


async def go_on(seen: InFlight, times: int = 6) -> None:
    """Every process is served so many times more."""
    so_far = seen.came.copy()
    await until(lambda: all(seen.came[path] >= so_far[path] + times for path in PATHS), 90)

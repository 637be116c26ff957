"""F02: an agency that hangs never has more calls in flight than its limit; the crowd behind them is sent away early."""

import asyncio
import time
from contextlib import suppress

import pytest

from app.errors import AgencyError, AgencyUnavailable
from app.manifest import OperationPolicy
from tests.harness.calling import NOWHERE, READ, WRITE, Wish, calling
from tests.harness.listener import answering

CAP = 4
CROWD = 300
BUDGET_S = 1.0
WISH = Wish(
    concurrency=CAP,
    operations={
        "read": OperationPolicy(safe=True, budget_s=BUDGET_S, breaker_pause_s=30, breaker_longest_pause_s=30),
        "write": OperationPolicy(budget_s=BUDGET_S, breaker_pause_s=30, breaker_longest_pause_s=30),
    },
)


class InFlight:
    """How many are with the agency at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def hang(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await reader.read()  # until the caller hangs up
        finally:
            self.now -= 1
        raise ConnectionResetError


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_never_more_in_flight_than_its_cap(valkey: str, valkey_url: str) -> None:
    counted = InFlight()
    async with calling(counted.hang, valkey_url if valkey == "up" else NOWHERE, WISH) as (caller, _server):
        began = time.monotonic()
        calls = [caller.client.call(READ if each % 2 else WRITE) for each in range(CROWD)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        took_s = time.monotonic() - began
    assert all(isinstance(outcome, AgencyError) for outcome in outcomes)
    assert counted.most <= CAP
    # Three hundred that wait in turn for four places would take 75 s.
    assert took_s < 4 * BUDGET_S + 3
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, AgencyUnavailable)}
    assert "busy" in codes


async def test_others_answer_as_before_while_one_hangs(valkey_url: str) -> None:
    """Two agencies in one process: what the healthy one takes is not what the hanging one gives."""
    counted = InFlight()
    async with (
        calling(counted.hang, valkey_url, WISH) as (ill, _hanging),
        calling(answering(), valkey_url, Wish(concurrency=CAP)) as (well, _healthy),
    ):

        async def keep_asking() -> None:
            while True:
                with suppress(AgencyError):
                    await ill.client.call(WRITE)
                await asyncio.sleep(0.001)

        crowd = [asyncio.create_task(keep_asking()) for _ in range(20)]
        answered = 0
        for _ in range(200):
            answered += (await well.client.call(READ)).status == 200
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    assert answered == 200
    assert counted.most <= CAP


async def test_whoever_gives_up_gives_the_place_back(valkey_url: str) -> None:
    counted = InFlight()
    async with calling(counted.hang, valkey_url, WISH) as (caller, _server):
        for _ in range(CAP * 3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(caller.client.call(READ), 0.05)
        assert caller.client._places.needed == 0

"""F01: an agency that takes 5 to 30 seconds keeps nobody longer than the operation's budget, and soon is not asked."""

import asyncio
import time

import pytest

from app.errors import AgencyError, AgencyUnavailable, OutcomeUnknown
from app.manifest import OperationPolicy
from tests.harness.calling import READ, WRITE, Wish, calling

BUDGET_S = 0.5
LATE_S = 3.0
SLOW_S = 5.0
WISH = Wish(
    concurrency=4,
    operations={
        "read": OperationPolicy(safe=True, budget_s=BUDGET_S, breaker_pause_s=30, breaker_longest_pause_s=30),
        "write": OperationPolicy(budget_s=BUDGET_S, breaker_pause_s=30, breaker_longest_pause_s=30),
    },
)


async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(SLOW_S)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(("call", "first"), [(READ, AgencyUnavailable), (WRITE, OutcomeUnknown)])
async def test_the_budget_is_kept_and_then_it_is_not_asked(
    call: object, first: type[AgencyError], valkey_url: str
) -> None:
    asked = READ if call is READ else WRITE
    async with calling(slow, valkey_url, WISH) as (caller, server):
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(first):
                await caller.client.call(asked)
            assert BUDGET_S * 0.9 < time.monotonic() - began < BUDGET_S + LATE_S
        for _ in range(20):
            began = time.monotonic()
            with pytest.raises(AgencyUnavailable, match="breaker_open"):
                await caller.client.call(asked)
            assert time.monotonic() - began < BUDGET_S
        assert len(server.requests) == 5


async def test_one_slow_operation_shuts_no_other(valkey_url: str) -> None:
    async def slow_writes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.requests[-1].startswith(b"POST"):
            await slow(reader, writer)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with calling(slow_writes, valkey_url, WISH) as (caller, server):
        for _ in range(5):
            with pytest.raises(OutcomeUnknown):
                await caller.client.call(WRITE)
        with pytest.raises(AgencyUnavailable, match="breaker_open"):
            await caller.client.call(WRITE)
        assert (await caller.client.call(READ)).status == 200

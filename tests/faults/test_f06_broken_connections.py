"""F06: half-open connections, resets and answers cut in the middle are found out in time, and nothing is sent twice."""

import asyncio
import time

import pytest

from app.errors import AgencyUnavailable, OutcomeUnknown
from app.manifest import OperationPolicy, integration_manifests
from tests.harness.calling import READ, WRITE, Wish, calling, calling_from
from tests.harness.fault_proxy import MODES, Mode, fault_proxy
from tests.harness.listener import answering, listening

MOST_S = 15.0
BUDGET_S = 2.0
WISH = Wish(
    operations={
        "read": OperationPolicy(safe=True, budget_s=BUDGET_S, breaker_failures=10),
        "write": OperationPolicy(budget_s=BUDGET_S, breaker_failures=10),
    }
)


async def cut_in_the_middle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"no": ')
    await writer.drain()
    raise ConnectionResetError


@pytest.mark.parametrize("mode", MODES)
async def test_it_is_found_out_in_time_and_over_when_the_network_is(mode: Mode) -> None:
    async with listening(answering()) as server:
        with fault_proxy(server.port) as proxy:
            async with calling_from(f"http://127.0.0.1:{proxy.port}", wish=WISH) as caller:
                assert (await caller.client.call(READ)).status == 200
                await asyncio.to_thread(proxy.set, mode)
                for call in (READ, WRITE):
                    began = time.monotonic()
                    try:
                        await caller.client.call(call)
                    except (AgencyUnavailable, OutcomeUnknown):
                        assert mode != "slow_close"
                    assert time.monotonic() - began < MOST_S
                await asyncio.to_thread(proxy.heal)
                before = len(server.requests)
                assert (await caller.client.call(WRITE)).status == 200
                assert (await caller.client.call(READ)).status == 200
                assert len(server.requests) == before + 2


@pytest.mark.tree
def test_no_operation_is_waited_for_longer() -> None:
    """A connection that is half open tells nothing: the budget is what ends it."""
    found = {
        f"{name}.{operation}": policy.budget_s
        for name, manifest in integration_manifests().items()
        for operation, policy in manifest.operations.items()
    }
    assert found
    assert {each: budget_s for each, budget_s in found.items() if budget_s > MOST_S} == {}


async def test_a_write_that_was_cut_is_unknown_and_went_once() -> None:
    async with calling(cut_in_the_middle, wish=WISH) as (caller, server):
        for _ in range(5):
            with pytest.raises(OutcomeUnknown):
                await caller.client.call(WRITE)
        assert len(server.requests) == 5

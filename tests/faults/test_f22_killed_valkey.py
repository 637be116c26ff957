"""F22, for calls: with Valkey killed agencies are asked, breakers open, turns are taken; each process by itself."""

import asyncio

import pytest

from app.agency_reads import Reads, Wanted
from app.errors import AgencyUnavailable
from app.manifest import OperationPolicy
from tests.harness.calling import READ, Wish, calling, calling_from, new_name
from tests.harness.keys import new_vault
from tests.harness.listener import answering, listening
from tests.harness.own_valkey import own_valkey

QUICK = {"read": OperationPolicy(safe=True, breaker_pause_s=0.2, breaker_longest_pause_s=0.4, per_second=200)}


async def test_every_call_is_made(valkey_url: str) -> None:
    with own_valkey() as valkey:
        async with calling(answering(), valkey.url, Wish(operations=QUICK)) as (caller, server):
            reads = Reads(caller.valkey, new_vault())
            for turn in range(60):
                if turn == 20:
                    await asyncio.to_thread(valkey.kill)
                if turn == 40:
                    await asyncio.to_thread(valkey.start)
                wanted = Wanted(what="f22", scope=str(turn), fresh_s=1)

                async def ask() -> int:
                    return (await caller.client.call(READ)).status

                assert (await reads.get(wanted, int, ask)).value == 200
            assert len(server.requests) == 60


async def test_the_breaker_goes_on_by_itself_and_together_again_afterwards() -> None:
    name = new_name()
    with own_valkey() as valkey:
        async with listening(answering("500 Internal Server Error")) as server:
            url = f"http://127.0.0.1:{server.port}"
            wish = Wish(name=name, operations=QUICK)
            async with calling_from(url, valkey.url, wish) as one, calling_from(url, valkey.url, wish) as other:
                await asyncio.to_thread(valkey.kill)
                for caller in (one, other):
                    for _ in range(5):
                        await caller.client.call(READ)
                    with pytest.raises(AgencyUnavailable, match="breaker_open"):
                        await caller.client.call(READ)
                assert len(server.requests) == 10
                await asyncio.to_thread(valkey.start)
                states = [state for state in await one.backends.breakers.states() if state.operation == "read"]
                assert [state.backend for state in states] == [name]

"""F12: the longer a system is down, the more seldom it is knocked at: in 72 hours less than a tenth more calls than a
backlog of 50,000 costs anyway. Three days pass where the breaker keeps since when it has been open."""

import itertools
import time

import pytest

from app.errors import AgencyUnavailable
from tests.harness.calling import NOWHERE, READ, Caller, calling
from tests.harness.listener import answering

BACKLOG, MOST_AMPLIFIED = 50_000, 1.1
# Until then the next pause counts as long as this one: there are no more knocks than so.
DOWN_S = (0.0, 60.0, 600.0, *(3600.0 * hours for hours in (1, 2, 4, 6, 9, 13, 20)), 72 * 3600.0)
# After an hour its return is seen this soon, however little is waiting.
SEEN_AFTER_AN_HOUR_S = 7.0
_DOWN_FOR = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
return redis.call('HSET', KEYS[1], 'since', now - tonumber(ARGV[1]), 'opens', now, 'pause', 120000)
"""


async def paused_s(caller: Caller, down_s: float, *, shared: bool) -> float:
    """How long it stays shut after one more knock in vain, where it has been shut for `down_s`."""
    breaker = caller.client._breakers["read"]
    if shared:
        await caller.valkey.run_script(_DOWN_FOR, [breaker.key], [int(down_s * 1000)])
    breaker._shut_since, breaker._pause_s, breaker._opens_at = time.monotonic() - down_s, 120.0, 0.0
    await caller.client.call(READ)
    return breaker.wait_s


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_three_days_cost_less_than_a_tenth_more(valkey: str, valkey_url: str) -> None:
    shared = valkey == "up"
    async with calling(answering("500 Internal Server Error"), valkey_url if shared else NOWHERE) as (caller, server):
        for _ in range(5):
            await caller.client.call(READ)
        with pytest.raises(AgencyUnavailable, match="breaker_open"):
            await caller.client.call(READ)
        pauses_s = [await paused_s(caller, seconds, shared=shared) for seconds in DOWN_S[:-1]]
        assert len(server.requests) == 5 + len(pauses_s)
    # The first three are the shortest pause there is, spread by chance.
    assert pauses_s[3:] == sorted(pauses_s[3:])
    assert max(pauses_s[:4]) < SEEN_AFTER_AN_HOUR_S
    assert pauses_s[-1] > 2 * max(pauses_s[:4])
    knocks = sum(
        (until - since) / max(pause_s, 0.5)
        for (since, until), pause_s in zip(itertools.pairwise(DOWN_S), pauses_s, strict=True)
    )
    assert knocks < (MOST_AMPLIFIED - 1) * BACKLOG, (knocks, pauses_s)

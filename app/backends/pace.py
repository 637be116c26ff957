"""Turns at a declared rate, over all processes: whoever takes one knows how long to wait for it."""

import asyncio
import time

import msgspec

from app.valkey import Valkey, ValkeyDown

# The generic cell rate algorithm by Valkey's clock, in microseconds: `next` is when the next turn is. A turn further
# away than `longest` is not taken, and told as less than nothing; one further than can be is a clock's doing.
_TURN = """
local interval, longest, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local following = tonumber(redis.call('GET', KEYS[1]) or '0')
if following < now - slack or following > now + 2 * longest + interval then following = now - slack end
local wait = following - now
if wait > longest then return -wait end
local kept = math.ceil((wait + interval + slack) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', following + interval), 'PX', kept)
return math.max(wait, 0)
"""
# What a late waiter did not use may be caught up with: little, so that no second holds more than its share and a bit.
SLACK_S = 0.02
# With Valkey away each process keeps to a share, so that several together stay near the rate.
_LOCAL_SHARE = 4


class NoTurn(Exception):
    """The next turn is further away than asked for: in `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("no turn")
        self.wait_s = wait_s


class Pace:
    """Turns by name."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._local: dict[str, float] = {}

    async def turn(self, name: str, per_second: float, longest_s: float) -> None:
        """Return when it is the caller's turn. Raises NoTurn, taking none, where that is in more than `longest_s`."""
        await asyncio.sleep(await self._wait_s(name, per_second, longest_s))

    async def _wait_s(self, name: str, per_second: float, longest_s: float) -> float:
        told = [int(1e6 / per_second), int(longest_s * 1e6), int(SLACK_S * 1e6)]
        try:
            wait_us = msgspec.convert(await self._valkey.run_script(_TURN, [f"pace:{name}"], told), int)
        except ValkeyDown:
            return self._here(name, per_second / _LOCAL_SHARE, longest_s)
        if wait_us < 0:
            raise NoTurn(-wait_us / 1e6)
        return wait_us / 1e6

    def _here(self, name: str, per_second: float, longest_s: float) -> float:
        now = time.monotonic()
        following = max(self._local.get(name, 0.0), now)
        if following - now > longest_s:
            raise NoTurn(following - now)
        self._local[name] = following + 1 / per_second
        return following - now

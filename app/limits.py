"""Rate limits: shared in Valkey by one atomic step, strict and local where Valkey is down, cheap ones per process."""

import time
from collections import OrderedDict

import msgspec

from app.errors import TooManyRequests
from app.valkey import Valkey, ValkeyDown

# Counts a hit in a fixed window and says how long the window still lasts. One script, so that two processes can
# never both read the last free place.
_HIT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]); left = tonumber(ARGV[1]) end
return {count, left}
"""
_MOST_KEYS = 50_000
# With Valkey down each process counts alone: a share of the limit, so that several processes together stay near it.
_LOCAL_SHARE = 4


class Window(msgspec.Struct):
    """Hits counted since `started` (monotonic seconds)."""

    started: float
    hits: int


class Allowance(msgspec.Struct, frozen=True):
    """What the RateLimit headers tell: the window's quota, what is left of it, seconds until it is whole again."""

    limit: int
    remaining: int
    reset_s: int
    period_s: int


class LocalWindows:
    """Fixed windows in this process, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, Window] = OrderedDict()

    def hit(self, key: str, limit: int, period_s: int) -> Allowance:
        """Count one hit. Raises TooManyRequests once more than `limit` fell into the window."""
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or now - window.started >= period_s:
            window = self._windows[key] = Window(now, 0)
            if len(self._windows) > _MOST_KEYS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        window.hits += 1
        reset_s = max(1, round(window.started + period_s - now))
        if window.hits > limit:
            raise TooManyRequests(retry_after_s=reset_s)
        return Allowance(limit, limit - window.hits, reset_s, period_s)


class Limiter:
    """Limits that hold over all processes."""

    def __init__(self, valkey: Valkey, *, lifted: bool) -> None:
        self._valkey = valkey
        self._lifted = lifted
        self._local = LocalWindows()

    async def hit(self, name: str, key: str, *, limit: int, period_s: int) -> None:
        """Count one hit of `key` (an index or address, never a NIK) under `name`. Raises TooManyRequests."""
        if self._lifted:
            return
        place = f"limit:{name}:{key}"
        try:
            answer = await self._valkey.run_script(_HIT, [place], [period_s * 1000])
        except ValkeyDown:
            self._local.hit(place, max(1, limit // _LOCAL_SHARE), period_s)
            return
        count, left_ms = msgspec.convert(answer, tuple[int, int])
        if count > limit:
            raise TooManyRequests(retry_after_s=max(1, -(-left_ms // 1000)))

    def hit_here(self, key: str, *, limit: int, period_s: int) -> Allowance | None:
        """Count in this process only: for reads, where a call to Valkey would cost more than what it guards."""
        return None if self._lifted else self._local.hit(key, limit, period_s)

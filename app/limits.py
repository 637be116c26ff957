"""Rate limits: shared in Valkey by one atomic step, strict and local where Valkey is down, cheap ones per process."""

import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from app.errors import TooManyRequests
from app.valkey import Valkey, ValkeyDown

# Counts in fixed windows under every key or, where one of them is full, under none; then it says for how long at least.
# One script, so that two processes can never both read the last free place. ARGV: limit and milliseconds for each key.
_COUNT = """
local wait = 0
for i, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left == -1 then redis.call('DEL', key) end
  if tonumber(redis.call('GET', key) or 0) >= tonumber(ARGV[2 * i - 1]) then wait = math.max(wait, left, 1) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
end
return 0
"""
_MOST_KEYS = 50_000
# With Valkey down each process counts alone: a share of the limit, so that several processes together stay near it.
_LOCAL_SHARE = 4


class Hit(msgspec.Struct, frozen=True):
    """One try of `key` (an index or address, never a NIK) under `name`: at most `limit` in `period_s`."""

    name: str
    key: str
    limit: int
    period_s: int

    @property
    def place(self) -> str:
        return f"limit:{self.name}:{self.key}"


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
        window = self._window(key, period_s, now)
        window.hits += 1
        reset_s = max(1, round(window.started + period_s - now))
        if window.hits > limit:
            raise TooManyRequests(retry_after_s=reset_s)
        return Allowance(limit, limit - window.hits, reset_s, period_s)

    def count(self, hits: Sequence[Hit], share: int) -> None:
        """Count under every key at a `share`-th of its limit, or raise TooManyRequests and count under none."""
        now = time.monotonic()
        windows = [self._window(hit.place, hit.period_s, now) for hit in hits]
        waits_s = [
            window.started + hit.period_s - now
            for hit, window in zip(hits, windows, strict=True)
            if window.hits >= max(1, hit.limit // share)
        ]
        if waits_s:
            raise TooManyRequests(retry_after_s=max(1, round(max(waits_s))))
        for window in windows:
            window.hits += 1

    def _window(self, key: str, period_s: int, now: float) -> Window:
        window = self._windows.get(key)
        if window is None or now - window.started >= period_s:
            window = self._windows[key] = Window(now, 0)
            if len(self._windows) > _MOST_KEYS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return window


class Limiter:
    """Limits that hold over all processes."""

    def __init__(self, valkey: Valkey, *, lifted: bool) -> None:
        self._valkey = valkey
        self._lifted = lifted
        self._local = LocalWindows()

    async def hit(self, name: str, key: str, *, limit: int, period_s: int) -> None:
        """Count one hit of `key` (an index or address, never a NIK) under `name`. Raises TooManyRequests."""
        await self.count(Hit(name, key, limit, period_s))

    async def count(self, *hits: Hit) -> None:
        """Count under every key in one atomic step or, raising TooManyRequests, under none of them: what is refused for
        one account uses up nothing of an address that others share."""
        if self._lifted:
            return
        limits = [number for hit in hits for number in (hit.limit, hit.period_s * 1000)]
        try:
            answer = await self._valkey.run_script(_COUNT, [hit.place for hit in hits], limits)
        except ValkeyDown:
            self._local.count(hits, _LOCAL_SHARE)
            return
        wait_ms = msgspec.convert(answer, int)
        if wait_ms > 0:
            raise TooManyRequests(retry_after_s=-(-wait_ms // 1000))

    def hit_here(self, key: str, *, limit: int, period_s: int) -> Allowance | None:
        """Count in this process only: for reads, where a call to Valkey would cost more than what it guards."""
        return None if self._lifted else self._local.hit(key, limit, period_s)

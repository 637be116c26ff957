"""A breaker for each operation of a backend: open after failures in a row, tried by one probe at a time.

Every process has its own; what they find out they share through Valkey, and without it each goes by what it sees
itself. An operation that works costs no call to Valkey.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from app.backends.controls import Controls
from app.manifest import OperationPolicy
from app.valkey import Valkey, ValkeyDown

CHANNEL = "loket.breakers"
# How a call was let through: with everybody, alone to find out, or by an operator's word, from which nothing is learnt.
Pass = Literal["free", "probe", "held"]
LONGEST_ASKED_S = 60.0
# A probe that does not come back, because its process died, is followed by another one after this.
PROBE_S = 30.0
# Failures with longer than this between them are not in a row.
REMEMBERED_S = 120
# A breaker that waits for another process's probe looks again, in case the news does not reach it.
LOOK_S = 0.5

# All three count by Valkey's clock; `limit` (ms) undoes what a step of that clock would make of it.
_FAILED = """
local key, threshold, first, longest, asked, probe, keep = KEYS[1], unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = redis.call('HINCRBY', key, 'failures', 1)
local opens = tonumber(redis.call('HGET', key, 'opens') or '-1')
local pause = tonumber(redis.call('HGET', key, 'pause') or '0')
first, longest, asked = tonumber(first), tonumber(longest), tonumber(asked)
if probe == '1' then
  pause = math.min(longest, math.max(pause * 2, first))
  opens = now + math.max(pause, asked)
  redis.call('DEL', KEYS[2])
elseif opens < 0 and (count >= tonumber(threshold) or asked > 0) then
  pause = first
  opens = now + math.max(pause, asked)
elseif opens >= 0 and asked > 0 then
  opens = math.max(opens, now + asked)
end
redis.call('HSET', key, 'opens', opens, 'pause', pause)
redis.call('EXPIRE', key, keep)
return {opens < 0 and -1 or math.max(opens - now, 0), count}
"""
# -1: closed. 0: the caller is the probe. Else so many ms to wait.
_ENTER = """
local opens = tonumber(redis.call('HGET', KEYS[1], 'opens') or '-1')
if opens < 0 then return -1 end
local clock = redis.call('TIME')
local left = opens - clock[1] * 1000 - math.floor(clock[2] / 1000)
if left > 0 and left <= tonumber(ARGV[2]) then return left end
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then return 0 end
return tonumber(ARGV[3])
"""
_STEP_BACK = "return redis.call('DEL', KEYS[2])"
_ANSWERED = "return redis.call('DEL', KEYS[1], KEYS[2])"
_STATES = """
local found, clock = {}, redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for place, key in ipairs(KEYS) do
  local told = redis.call('HMGET', key, 'failures', 'opens')
  local opens = tonumber(told[2] or '-1')
  found[place] = {tonumber(told[1] or '0'), opens < 0 and -1 or math.max(opens - now, 0)}
end
return found
"""


class Shut(Exception):
    """The breaker lets nobody through for `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("shut")
        self.wait_s = wait_s


class BreakerState(msgspec.Struct, frozen=True):
    """One breaker as all processes have it; `shared` false: as this one sees it, Valkey being away. `held`: by hand."""

    backend: str
    operation: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    opens_in_s: float
    held: Literal["open", "closed"] | None
    shared: bool


class Breaker:
    """One operation's breaker in this process."""

    def __init__(self, place: tuple[str, str], policy: OperationPolicy, controls: Controls, valkey: Valkey) -> None:
        self.place = place
        self.failures = 0
        self._policy = policy
        self._controls = controls
        self._valkey = valkey
        self.key = f"breaker:{place[0]}.{place[1]}"
        self._shut = False
        self._opens_at = 0.0
        self._pause_s = 0.0
        self._probing = False

    @property
    def is_plain(self) -> bool:
        """Nothing stands against a call, and nobody holds it by hand: what is asked before every call."""
        return not self._shut and not self._controls.holds_any

    @property
    def is_shut(self) -> bool:
        return self._shut and (self._probing or self.wait_s > 0)

    @property
    def wait_s(self) -> float:
        """Until the next probe; less than nothing where one may go."""
        return self._opens_at - time.monotonic()

    async def enter(self) -> Pass:
        """Raises Shut."""
        held = self._controls.held(*self.place)
        if held == "open":
            raise Shut(LOOK_S)
        if held == "closed":
            return "held"
        if not self._shut:
            return "free"
        if self.is_shut:
            raise Shut(max(self.wait_s, LOOK_S / 5))
        return await self._as_probe()

    async def answered(self, passed: Pass) -> None:
        """The operation works."""
        if passed == "held" or not (self.failures or self._shut):
            return
        self._close()
        try:
            await self._valkey.run_script(_ANSWERED, self._keys, [])
            self._valkey.announce(CHANNEL, f"{self.key} -1".encode())
        except ValkeyDown:
            return

    async def failed(self, passed: Pass, asked_s: float | None = None) -> None:
        """It does not, and perhaps asked to be left alone for a while. Who went in together fails together: after the
        first of them the others only count."""
        if passed == "held":
            return
        asked_s = min(asked_s or 0.0, LONGEST_ASKED_S)
        self.failures += 1
        self._fail_here(passed, asked_s)
        policy = self._policy
        told = [
            policy.breaker_failures,
            int(policy.breaker_pause_s * 1000),
            int(policy.breaker_longest_pause_s * 1000),
            int(asked_s * 1000),
            int(passed == "probe"),
            REMEMBERED_S,
        ]
        try:
            left_ms, self.failures = msgspec.convert(
                await self._valkey.run_script(_FAILED, self._keys, told), tuple[int, int]
            )
        except ValkeyDown:
            return
        if left_ms >= 0:
            self.shut_for(left_ms / 1000)
            self._valkey.announce(CHANNEL, f"{self.key} {left_ms}".encode())

    async def step_back(self, passed: Pass) -> None:
        """The call learned nothing: the next one may try."""
        if passed != "probe":
            return
        self._probing = False
        try:
            await self._valkey.run_script(_STEP_BACK, self._keys, [])
        except ValkeyDown:
            return

    def shut_for(self, seconds: float) -> None:
        """As another process found out."""
        self._shut = True
        pause_s = min(seconds, max(LONGEST_ASKED_S, self._policy.breaker_longest_pause_s))
        # Not all processes at one moment.
        self._opens_at = time.monotonic() + pause_s * random.uniform(1.0, 1.1)  # noqa: S311 - jitter, not a secret

    def open_again(self) -> None:
        """Another process's probe was answered."""
        self._close()

    def seen_here(self) -> tuple[int, float]:
        """Failures, and seconds until a probe; -1 where it is closed."""
        return self.failures, max(self._opens_at - time.monotonic(), 0.0) if self._shut else -1.0

    @property
    def _keys(self) -> list[str]:
        return [self.key, f"{self.key}.probe"]

    async def _as_probe(self) -> Pass:
        self._probing = True
        limit_ms = int(max(LONGEST_ASKED_S, self._policy.breaker_longest_pause_s) * 1000) + 1000
        try:
            asked = await self._valkey.run_script(
                _ENTER, self._keys, [int(PROBE_S * 1000), limit_ms, int(LOOK_S * 1000)]
            )
            wait_ms = msgspec.convert(asked, int)
        except ValkeyDown:
            return "probe"
        except asyncio.CancelledError:
            self._probing = False
            raise
        if wait_ms > 0:
            self._probing = False
            self._opens_at = time.monotonic() + wait_ms / 1000
            raise Shut(wait_ms / 1000)
        # Closed meanwhile, or forgotten with a flushed Valkey: either way one call finds out.
        return "probe"

    def _fail_here(self, passed: Pass, asked_s: float) -> None:
        if passed == "probe":
            self._probing = False
            self._pause_s = min(self._policy.breaker_longest_pause_s, self._pause_s * 2)
        elif self._shut:
            self._opens_at = max(self._opens_at, time.monotonic() + asked_s)
            return
        elif self.failures >= self._policy.breaker_failures or asked_s:
            self._pause_s = self._policy.breaker_pause_s
        else:
            return
        self.shut_for(max(self._pause_s, asked_s))

    def _close(self) -> None:
        self.failures, self._shut, self._probing = 0, False, False


class Breakers:
    """Every breaker of this process."""

    def __init__(self, controls: Controls, valkey: Valkey) -> None:
        self._controls = controls
        self._valkey = valkey
        self._known: dict[str, Breaker] = {}
        valkey.listen(CHANNEL, self._heard)

    def of(self, backend: str, operation: str, policy: OperationPolicy) -> Breaker:
        breaker = Breaker((backend, operation), policy, self._controls, self._valkey)
        return self._known.setdefault(breaker.key, breaker)

    async def states(self) -> Sequence[BreakerState]:
        """Every breaker, as the processes share it."""
        known = sorted(self._known.values(), key=lambda each: each.place)
        shared = True
        try:
            told = await self._valkey.run_script(_STATES, [each.key for each in known], [])
            seen = [(count, left_ms / 1000) for count, left_ms in msgspec.convert(told, list[tuple[int, float]])]
        except ValkeyDown:
            shared = False
            seen = [each.seen_here() for each in known]
        return [
            _state(breaker.place, standing, self._controls.held(*breaker.place), shared=shared)
            for breaker, standing in zip(known, seen, strict=True)
        ]

    def _heard(self, message: bytes) -> None:
        key, _, left_ms = message.decode().rpartition(" ")
        breaker = self._known.get(key)
        if breaker is None:
            return
        if left_ms == "-1":
            breaker.open_again()
        else:
            breaker.shut_for(int(left_ms) / 1000)


def _state(
    place: tuple[str, str], seen: tuple[int, float], held: Literal["open", "closed"] | None, *, shared: bool
) -> BreakerState:
    failures, left_s = seen
    state: Literal["closed", "open", "half_open"] = "closed" if left_s < 0 else "open" if left_s > 0 else "half_open"
    return BreakerState(*place, held or state, failures, max(left_s, 0.0), held, shared)

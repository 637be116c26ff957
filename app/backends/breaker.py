"""A breaker for each operation of a backend: open after failures in a row or a share of failures, tried by one probe.

Every process has its own; what they find out they share through Valkey, and without it each goes by what it sees
itself. An operation that works costs no call to Valkey: what worked is told with the next failure.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from app.backends.controls import Controls
from app.backends.recent import SLOTS, Recent
from app.manifest import OperationPolicy
from app.valkey import Valkey, ValkeyDown

CHANNEL = "loket.breakers"
# How a call was let through: with everybody, alone to find out, or by an operator's word, from which nothing is learnt.
Pass = Literal["free", "probe", "held"]
# What it opened for: so many failures in a row, such a share of the last while's calls, or the system's own wish.
Why = Literal["in_a_row", "share", "asked"]
LONGEST_ASKED_S = 60.0
# A probe that does not come back, because its process died, is followed by another one after this.
PROBE_S = 30.0
# Failures with longer than this between them are not in a row.
REMEMBERED_S = 120
# A system that is down for long is asked more and more seldom: after a sixtieth of its outage, at most a minute.
OUTAGE_SHARE, LONGEST_PAUSE_S = 1 / 60, 60.0
# A breaker that waits for another process's probe looks again, in case the news does not reach it.
LOOK_S = 0.5

# All three count by Valkey's clock; `limit` (ms) undoes what a step of that clock would make of it.
_FAILED = """
local key, threshold, first, longest, asked, probe, keep, worked, span, least, share = KEYS[1], unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = redis.call('HINCRBY', key, 'failures', 1)
local slot = math.floor(now * SLOTS / tonumber(span))
redis.call('HINCRBY', key, 'w' .. slot, worked)
redis.call('HINCRBY', key, 'f' .. slot, 1)
local fields, calls, failed, why = redis.call('HGETALL', key), 0, 0, ''
for place = 1, #fields, 2 do
  local kind, when = string.match(fields[place], '^([wf])(%d+)$')
  if kind and (tonumber(when) > slot or tonumber(when) <= slot - SLOTS) then redis.call('HDEL', key, fields[place])
  elseif kind then
    calls = calls + tonumber(fields[place + 1])
    if kind == 'f' then failed = failed + tonumber(fields[place + 1]) end
  end
end
local opens = tonumber(redis.call('HGET', key, 'opens') or '-1')
local pause = tonumber(redis.call('HGET', key, 'pause') or '0')
first, longest, asked = tonumber(first), tonumber(longest), tonumber(asked)
if probe == '1' then
  local down = now - tonumber(redis.call('HGET', key, 'since') or now)
  longest = math.max(longest, math.min(down * OUTAGE_SHARE, LONGEST_PAUSE_MS))
  pause = math.min(longest, math.max(pause * 2, first))
  opens = now + math.max(pause, asked)
  redis.call('DEL', KEYS[2])
elseif opens < 0 then
  if count >= tonumber(threshold) then
    why, calls, failed = 'in_a_row', count, count
  elseif calls >= tonumber(least) and failed >= tonumber(share) * calls then why = 'share'
  elseif asked > 0 then why = 'asked' end
  if why ~= '' then
    pause = first
    opens = now + math.max(pause, asked)
    redis.call('HSET', key, 'why', why, 'calls', calls, 'failed', failed, 'since', now)
  end
elseif opens >= 0 and asked > 0 then
  opens = math.max(opens, now + asked)
end
redis.call('HSET', key, 'opens', opens, 'pause', pause)
redis.call('EXPIRE', key, keep)
return {count, opens < 0 and -1 or math.max(opens - now, 0), redis.call('HGET', key, 'why') or ''}
"""
for _name, _value in (("SLOTS", SLOTS), ("OUTAGE_SHARE", OUTAGE_SHARE), ("LONGEST_PAUSE_MS", 1000 * LONGEST_PAUSE_S)):
    _FAILED = _FAILED.replace(_name, str(_value))
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
# Whom a share of failures shut out a probe alone lets in again: that some calls work was known. 1: it is closed.
_ANSWERED = """
local open = tonumber(redis.call('HGET', KEYS[1], 'opens') or '-1') >= 0
if open and ARGV[1] ~= '1' and redis.call('HGET', KEYS[1], 'why') == 'share' then return 0 end
if open then redis.call('DEL', KEYS[1], KEYS[2]) else redis.call('HDEL', KEYS[1], 'failures') end
return 1
"""
_STATES = """
local found, clock = {}, redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for place, key in ipairs(KEYS) do
  local told = redis.call('HMGET', key, 'failures', 'opens', 'why', 'failed', 'calls')
  local opens = tonumber(told[2] or '-1')
  local left = opens < 0 and -1 or math.max(opens - now, 0)
  found[place] = {tonumber(told[1] or '0'), left, told[3] or '', tonumber(told[4] or '0'), tonumber(told[5] or '0')}
end
return found
"""


class Shut(Exception):
    """The breaker lets nobody through for `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("shut")
        self.wait_s = wait_s


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """How it stands: failures in a row, milliseconds until a probe (-1: closed), and what it opened for: `failed` of
    `calls`."""

    failures: int
    left_ms: float
    why: Why | Literal[""] = ""
    failed: int = 0
    calls: int = 0


class BreakerState(msgspec.Struct, frozen=True):
    """One breaker as all processes have it; `shared` false: as this one sees it, Valkey being away. `held`: by hand.
    `why` it opened by itself: `failed` of `calls`, which are no figures of now."""

    backend: str
    operation: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    opens_in_s: float
    held: Literal["open", "closed"] | None
    shared: bool
    why: Why | None
    failed: int
    calls: int


class Breaker:
    """One operation's breaker in this process."""

    def __init__(self, place: tuple[str, str], policy: OperationPolicy, controls: Controls, valkey: Valkey) -> None:
        self.place = place
        self.failures = 0
        self._policy = policy
        self._controls = controls
        self._valkey = valkey
        self.key = f"breaker:{place[0]}.{place[1]}"
        self._recent = Recent(policy.breaker_window_s)
        self._shut = False
        self._cause = Standing(0, -1.0)
        self._opens_at = 0.0
        self._pause_s = 0.0
        self._shut_since = 0.0
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
        """The operation works, at least this time."""
        if passed == "held":
            return
        self._recent.worked()
        if not (self.failures or self._shut) or (self._shut and self._cause.why == "share" and passed != "probe"):
            return
        self._close()
        try:
            if await self._valkey.run_script(_ANSWERED, self._keys, [int(passed == "probe")]):
                self._announce("-1")
        except ValkeyDown:
            return

    async def failed(self, passed: Pass, asked_s: float | None = None) -> None:
        """It does not, and perhaps asked to be left alone for a while. Who went in together fails together: after the
        first of them the others only count."""
        if passed == "held":
            return
        asked_s = min(asked_s or 0.0, LONGEST_ASKED_S)
        self.failures += 1
        self._recent.failed()
        self._fail_here(passed, asked_s)
        policy = self._policy
        told = [
            policy.breaker_failures,
            int(policy.breaker_pause_s * 1000),
            int(policy.breaker_longest_pause_s * 1000),
            int(asked_s * 1000),
            int(passed == "probe"),
            REMEMBERED_S,
            self._recent.take_untold(),
            int(policy.breaker_window_s * 1000),
            policy.breaker_calls,
            policy.breaker_share,
        ]
        try:
            standing = _standing(await self._valkey.run_script(_FAILED, self._keys, told))
        except ValkeyDown:
            self._judge_share_here()
            return
        self.failures = standing.failures
        if standing.left_ms >= 0:
            self.shut_for(standing.left_ms / 1000, standing.why)
            self._announce(f"{standing.why}:{standing.left_ms:.0f}")

    async def step_back(self, passed: Pass) -> None:
        """The call learned nothing: the next one may try."""
        if passed != "probe":
            return
        self._probing = False
        try:
            await self._valkey.run_script(_STEP_BACK, self._keys, [])
        except ValkeyDown:
            return

    def shut_for(self, seconds: float, why: Why | Literal[""] = "") -> None:
        """As another process found out."""
        if not self._shut or why != self._cause.why:
            calls, failed = self._recent.seen() if why == "share" else (self.failures, self.failures)
            self._cause = Standing(self.failures, -1.0, why, failed, calls)
        if not self._shut:
            self._shut_since = time.monotonic()
        self._shut = True
        pause_s = min(seconds, max(LONGEST_ASKED_S, self._policy.breaker_longest_pause_s))
        # Not all processes at one moment.
        self._opens_at = time.monotonic() + pause_s * random.uniform(1.0, 1.1)  # noqa: S311 - jitter, not a secret

    def open_again(self) -> None:
        """Another process's probe was answered."""
        self._close()

    def seen_here(self) -> Standing:
        if not self._shut:
            return Standing(self.failures, -1.0)
        left_ms = max(self.wait_s, 0.0) * 1000
        return msgspec.structs.replace(self._cause, failures=self.failures, left_ms=left_ms)

    @property
    def _keys(self) -> list[str]:
        return [self.key, f"{self.key}.probe"]

    def _announce(self, told: str) -> None:
        self._valkey.announce(CHANNEL, f"{self._valkey.name} {self.key} {told}".encode())

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
        why: Why | Literal[""] = "in_a_row" if self.failures >= self._policy.breaker_failures else "asked"
        if passed == "probe":
            self._probing = False
            outage_s = time.monotonic() - self._shut_since
            longest_s = max(self._policy.breaker_longest_pause_s, min(outage_s * OUTAGE_SHARE, LONGEST_PAUSE_S))
            self._pause_s = min(longest_s, self._pause_s * 2)
            why = self._cause.why
        elif self._shut:
            self._opens_at = max(self._opens_at, time.monotonic() + asked_s)
            return
        elif why == "in_a_row" or asked_s:
            self._pause_s = self._policy.breaker_pause_s
        else:
            return
        self.shut_for(max(self._pause_s, asked_s), why)

    def _judge_share_here(self) -> None:
        calls, failed = self._recent.seen()
        policy = self._policy
        if not self._shut and calls >= policy.breaker_calls and failed >= policy.breaker_share * calls:
            self._pause_s = policy.breaker_pause_s
            self.shut_for(self._pause_s, "share")

    def _close(self) -> None:
        if self._shut:
            self._recent.forget()
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
            seen = [_standing(each) for each in cast("list[object]", told)]
        except ValkeyDown:
            shared = False
            seen = [each.seen_here() for each in known]
        return [
            _state(breaker.place, standing, self._controls.held(*breaker.place), shared=shared)
            for breaker, standing in zip(known, seen, strict=True)
        ]

    def _heard(self, message: bytes) -> None:
        speaker, key, told = message.decode().split(" ")
        breaker = self._known.get(key)
        if breaker is None or speaker == self._valkey.name:
            return
        if told == "-1":
            breaker.open_again()
        else:
            why, _, left_ms = told.rpartition(":")
            breaker.shut_for(int(left_ms) / 1000, msgspec.convert(why, Why | Literal[""]))


def _standing(told: object) -> Standing:
    words = cast("list[object]", told)
    return msgspec.convert([word.decode() if isinstance(word, bytes) else word for word in words], Standing)


def _state(
    place: tuple[str, str], seen: Standing, held: Literal["open", "closed"] | None, *, shared: bool
) -> BreakerState:
    left_s = seen.left_ms / 1000
    state: Literal["closed", "open", "half_open"] = "closed" if left_s < 0 else "open" if left_s > 0 else "half_open"
    cause = seen if state != "closed" else Standing(0, -1.0)
    return BreakerState(
        *place,
        held or state,
        failures=seen.failures,
        opens_in_s=max(left_s, 0.0),
        held=held,
        shared=shared,
        why=cause.why or None,
        failed=cause.failed,
        calls=cause.calls,
    )

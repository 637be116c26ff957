"""A backend's places, held by all processes together: each has some on lease, and uses them without asking anybody.

Only a process that needs more than it holds asks Valkey, and once a second whoever holds some says that it lives. So a
call costs no round trip, and what a killed process held comes back when its lease has ended and no call of it can last.
"""

import asyncio
import contextvars
import math
import time
from contextlib import suppress

import msgspec

from app.backends.places import Places
from app.manifest import IntegrationManifest
from app.tasks import end
from app.valkey import Valkey, ValkeyDown

CHANNEL = "loket.places"
# How long what was said last may be relied upon; it is said again each TICK_S.
LEASE_S = 3.0
TICK_S = 1.0
# Who waits for places that others have asks again this often; with Valkey away less often.
LOOK_S, LOOK_DOWN_S = 0.05, 0.25
# A Valkey that has forgotten everything gives out nothing new until all have said what they hold.
RECALL_S = 3.0
# What was in use at once is kept for a while, and one place for longer: the next call finds it ready.
PEAK_S, WARM_S = 10.0, 600.0
# A process that never met the others tries for a while, longer where Valkey may only be late, and then takes this part.
PATIENCE_S, PATIENCE_WHEN_LATE_S = 0.3, 2.0
_LOCAL_SHARE = 4
_KEPT_MS = 24 * 3600 * 1000

# Who holds how many. A holder's line: places held, places needed, when it ends, its latest word's number, since when it
# has less than it is entitled to (0: it has not). Time (ms) is of a clock that stands while nobody asks for longer than
# a lease, so a step of Valkey's clock ends nobody's lease. `sure` is what the asker uses whatever is answered.
# Nobody is given more than a fair part while others have less than theirs; with fewer places than holders, in turn.
_CLAIM = """
local key, born, me = KEYS[1], KEYS[2], ARGV[1]
local told = {}
for place = 2, 10 do told[place - 1] = tonumber(ARGV[place]) end
local number, most, sure, want, need, least, lease, quick, recall = unpack(told)
local kept = ARGV[11]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local since = tonumber(redis.call('GET', born) or '-1')
if since < 0 or since > now then since = now end
redis.call('SET', born, string.format('%.0f', since), 'PX', kept)
local before, at = string.match(redis.call('HGET', key, '@') or '0 0', '(%d+) (%d+)')
local gap = now - tonumber(before)
at = tonumber(at) + ((gap < 0 or gap > lease) and 0 or gap)
local others, mine, held, rank, asking = {}, nil, 0, 0, need > 0 and 1 or 0
local lines = redis.call('HGETALL', key)
for place = 1, #lines, 2 do
  local who = lines[place]
  if who ~= '@' then
    local has, needs, ends, last, lacks = string.match(lines[place + 1], '(%d+) (%d+) (%d+) (%d+) (%d+)')
    local line = {tonumber(has), tonumber(needs), tonumber(last), tonumber(lacks)}
    if who == me then mine = line
    elseif tonumber(ends) <= at then redis.call('HDEL', key, who)
    else
      others[#others + 1] = line
      held = held + line[1]
      if line[2] > 0 then asking = asking + 1 end
      if who < me then rank = rank + 1 end
    end
  end
end
if mine and mine[3] >= number then return {-1, 0, 0, 0, 0} end
local fair = math.floor(most / math.max(asking, 1))
local due = math.max(fair, 1)
local lacking = mine and mine[4] > 0 and mine[4] or at + 1
local lack, older = 0, 0
for _, line in ipairs(others) do
  local less = math.max(math.min(line[2], due) - line[1], 0)
  lack = lack + less
  if less > 0 and line[4] > 0 and line[4] < lacking then older = older + less end
end
local spare = most - held
local open = math.max(math.min(fair, spare), spare - (fair > 0 and lack or older))
local holders = #others + 1
if now - since < recall then open, holders = math.min(least, spare), 0 end
local given = math.max(sure, math.min(want, open))
local short = given < math.min(need, due)
if given == 0 and need == 0 then redis.call('HDEL', key, me)
else
  local ends = at + (given > 0 and lease or quick)
  redis.call('HSET', key, me, string.format('%d %d %.0f %d %.0f', given, need, ends, number, short and lacking or 0))
end
redis.call('HSET', key, '@', string.format('%.0f %.0f', now, at))
redis.call('PEXPIRE', key, kept)
return {given, math.max(lack - math.max(spare - given, 0), 0), fair, holders, rank}
"""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """`given` -1: a later word was heard before. `lack`: what others have less than they are entitled to, and what is
    free does not make up for. `holders` 0: not known yet."""

    given: int
    lack: int
    fair: int
    holders: int
    rank: int


class SharedPlaces(Places):
    """One backend's, as this process has them."""

    def __init__(self, name: str, manifest: IntegrationManifest, valkey: Valkey) -> None:
        super().__init__(manifest.concurrency)
        self._name = name
        self._valkey = valkey
        self._longest_call_s = max((each.budget_s for each in manifest.operations.values()), default=0.0)
        self._held = 0
        self._lease_ends = 0.0
        # When nobody's call can last any more that was begun on a lease.
        self._alone_at = 0.0
        self._share = max(1, self.most // _LOCAL_SHARE)
        self._has_met, self._is_down = False, False
        # Whether others go short, and how many may be used here meanwhile.
        self._yields, self._allowed = False, self.most
        # There are fewer places than processes that need one: each call is a turn, and the next one is somebody else's.
        self._in_turns = False
        self._number = 0
        self._refused = False
        self._seen_taken, self._used_at, self._lowered_at = 0, -math.inf, 0.0
        self._told_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def limit(self) -> int:
        """What is on lease. Without Valkey: first the smaller of lease and share, and when no call that was begun on a
        lease can last any more, the share. Nothing where a lease ended unnoticed, as in a process that was paused."""
        now = time.monotonic()
        if now < self._lease_ends:
            return min(self._held, self._allowed)
        if not self._is_down:
            return 0
        return self._share if now >= self._alone_at else min(self._held, self._share)

    def wanted_elsewhere(self) -> None:
        """Another process has less than it should: what is too much here goes back."""
        if self._held > 0:
            self._news.set()

    async def close(self) -> None:
        """Give everything back that is not in use."""
        if self._task is None:
            return
        await end(self._task)
        self._used_at, self.peak, self._seen_taken = -math.inf, 0.0, self.taken
        await self._claim()

    def _ask_for_more(self) -> None:
        if self._task is None or self._task.done():
            # In no request's context: it outlives the one that began it.
            loop, alone = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._keep(), name=f"places-{self._name}", context=alone)
        elif not self._refused and self._held < min(self.most, self._allowed):
            self._news.set()

    def _give_back(self) -> None:
        if self._in_turns:
            self._allowed = 0
        super()._give_back()
        if self._has_too_many:
            self._news.set()

    @property
    def _has_too_many(self) -> bool:
        """Others go short, and some of what is held here is not in use or beyond a fair part."""
        return self._yields and self._held > max(self.used, min(self._allowed, self.needed))

    async def _keep(self) -> None:
        """As long as anything is held or needed."""
        while True:
            self._news.clear()
            heard = await self._claim()
            self._hand_out()
            if not self.needed and (self._held == 0 if heard else time.monotonic() - self._used_at > WARM_S):
                self._forget()
                return
            if heard and self._has_too_many:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s(heard=heard)):
                    await self._news.wait()

    def _pause_s(self, *, heard: bool) -> float:
        if self.needed == self.used or (heard and self._held >= self.most):
            return TICK_S
        return LOOK_S if heard else LOOK_DOWN_S

    async def _claim(self) -> bool:
        """Say what is held and needed, and hold what is given. False where Valkey did not answer."""
        need = min(self.needed, self.most)
        sure = self._sure(need)
        want = max(need if self._yields else min(2 * need, self.most), sure)
        self._number += 1
        lease_s = LEASE_S + TICK_S + self._longest_call_s
        least = 0 if self._has_met else self._share
        spans = (int(seconds * 1000) for seconds in (lease_s, LEASE_S, RECALL_S))
        counts = (self._number, self.most, sure, want, need, least)
        given: list[str | int | float] = [self._valkey.name, *counts, *spans, _KEPT_MS]
        sent_at = time.monotonic()
        try:
            told = await self._valkey.run_script(_CLAIM, [f"places:{self._name}", "places"], given)
        except ValkeyDown as error:
            self._is_down = True
            self._alone_at = self._alone_at or sent_at + (PATIENCE_WHEN_LATE_S if error.is_late else PATIENCE_S)
            return False
        answer = msgspec.convert(told, _Answer)
        if answer.given < 0:
            return False
        self._hold(answer, sent_at)
        self._alone_at = sent_at + lease_s
        self._refused = answer.given < need
        if answer.given < min(need, max(answer.fair, 1)):
            self._call_for_help(sent_at)
        return True

    def _sure(self, need: int) -> int:
        """What may be in use when the answer comes. Whatever is too much is given up before that is said."""
        now = time.monotonic()
        if self.taken != self._seen_taken or self.used:
            self._seen_taken, self._used_at = self.taken, now
        self.peak = max(self.used, self.peak - self.most * (now - self._lowered_at) / PEAK_S)
        self._lowered_at = now
        if now >= self._lease_ends:
            return max(self.used, self.limit)
        ready = max(math.ceil(self.peak), int(now - self._used_at < WARM_S))
        kept = min(self._allowed, need) if self._yields else ready
        self._held = max(self.used, min(self._held, kept))
        return self._held

    def _hold(self, answer: _Answer, sent_at: float) -> None:
        self._held = answer.given
        self._yields = answer.lack > 0
        self._in_turns = self._yields and answer.fair == 0
        fair = max(answer.fair, min(answer.given, 1))
        self._allowed = max(fair, answer.given - answer.lack) if self._yields else self.most
        self._lease_ends = sent_at + LEASE_S
        self._has_met, self._is_down = True, False
        if answer.holders:
            self._share = self.most // answer.holders + (answer.rank < self.most % answer.holders)

    def _forget(self) -> None:
        """Nothing is held or needed any more: the next call begins as the first one did."""
        self._held, self._lease_ends, self._alone_at = 0, 0.0, 0.0
        self._has_met, self._is_down, self._refused = False, False, False
        self._share, self._allowed, self._yields = max(1, self.most // _LOCAL_SHARE), self.most, False
        self._in_turns = False

    def _call_for_help(self, now: float) -> None:
        if now - self._told_at >= LOOK_DOWN_S:
            self._told_at = now
            self._valkey.announce(CHANNEL, f"{self._valkey.name} {self._name}".encode())


class Leases:
    """Every backend's places, as this process has them."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._known: dict[str, SharedPlaces] = {}
        valkey.listen(CHANNEL, self._heard)

    def of(self, backend: str, manifest: IntegrationManifest) -> SharedPlaces:
        places = SharedPlaces(backend, manifest, self._valkey)
        return self._known.setdefault(backend, places)

    async def close(self) -> None:
        """Give everything back, so that others need not wait for the leases' end."""
        await asyncio.gather(*(each.close() for each in self._known.values()))

    def _heard(self, message: bytes) -> None:
        speaker, _, backend = message.decode().partition(" ")
        places = self._known.get(backend)
        if places is not None and speaker != self._valkey.name:
            places.wanted_elsewhere()

"""What agencies told lately, shared: by all who ask in one process, and through Valkey by all processes.

Keyed by what is asked, of whom, by whom: who asks and about whom is sealed into every value, so that one put under
another's key is no answer. Valkey may forget it all, be slow or be gone: then each process asks for itself.
"""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

from app.asking import acting
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable
from app.manifest import OperationPolicy
from app.privacy import CannotDecrypt, Vault
from app.valkey import Valkey, ValkeyDown
from app.waiting import outside

log = logging.getLogger("loket.reads")

T = TypeVar("T")
# While another process asks, look this often whether it has heard.
LOOK_EVERY_S = 0.1
MOST_KEPT = 2_000
# A value whose own time says that it is older than Valkey would keep it was put back by somebody.
CLOCKS_APART_S = 120.0
_CONTEXT = "agency_reads."
CHANNEL = "loket.reads.forgotten"
_LIST = "reads-of:"

# What is known, for how long it is fresh (ms), and whose turn it is: 1 ours, 2 another's, 3 nobody's for a while.
_READ = """
local fresh = redis.call('PTTL', KEYS[2])
if fresh > 0 then return {redis.call('GET', KEYS[1]), fresh, 0} end
if redis.call('EXISTS', KEYS[4]) == 1 then return {redis.call('GET', KEYS[1]), 0, 3} end
local ours = redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[1])
return {redis.call('GET', KEYS[1]), 0, ours and 1 or 2}
"""
# KEYS[5] lists what is known of the subject, so that all of it can be forgotten at once.
_WRITE = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
if ARGV[4] == '1' then
    redis.call('SADD', KEYS[5], KEYS[1])
    if redis.call('PTTL', KEYS[5]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[5], ARGV[3]) end
end
return redis.call('DEL', KEYS[3], KEYS[4])
"""
_FAILED = """
redis.call('SET', KEYS[4], '1', 'PX', ARGV[1])
return redis.call('DEL', KEYS[3])
"""
# Also what is being asked: its answer is of before, and is not kept.
_FORGET = """
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    redis.call('DEL', key, key .. '.fresh', key .. '.asking', key .. '.failed')
end
return redis.call('DEL', KEYS[1])
"""
_GIVE_BACK = "return redis.call('DEL', KEYS[3])"


# By when (monotonic seconds) somebody takes the last answer, where there is one, instead of waiting on. None: at once
# while it may be shown meanwhile, else once asking has failed. Infinite: only once asking has failed.
stale_after: ContextVar[float | None] = ContextVar("stale_after", default=None)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One question: `what` of whom (`subject`, "" for nobody's data) asked by whom (`actor`), and of what (`scope`).

    An answer is fresh for `fresh_s`; then asked for anew, or within `revalidate_s` shown while it is. It is shown as
    stale up to `stale_s` where none is to be had. After a failure nobody asks for `rest_s`. Not `shared`: known to this
    process alone, where sharing would cost more than asking.
    """

    what: str
    subject: str = ""
    actor: str = ""
    scope: str = ""
    fresh_s: float
    revalidate_s: float = 0.0
    stale_s: float = 0.0
    rest_s: float = 1.0
    budget_s: float = 5.0
    shared: bool = True

    @property
    def identity(self) -> str:
        """The same for the same question alone: no part can run into the next. Who acts for somebody shares no answer
        with them, nor with anybody else who does."""
        delegate = acting.get()
        asked = (self.what, self.subject, self.actor, self.scope)
        return msgspec.json.encode((*asked, delegate) if delegate else asked).decode()


class Seen(msgspec.Struct, Generic[T], frozen=True):
    """An answer, and when the agency gave it."""

    value: T
    as_of: datetime
    is_stale: bool


class Reads:
    """One process's share of what is known."""

    def __init__(self, valkey: Valkey, vault: Vault) -> None:
        self._valkey = valkey
        self._vault = vault
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._rests: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Kept]] = {}
        self._forgotten: OrderedDict[bytes, float] = OrderedDict()
        valkey.listen(CHANNEL, self._heard)

    async def forget(self, subject: str) -> None:
        """Drop every answer about somebody, here, in Valkey and in all processes: nothing that was asked before this is
        shown after it. Call it after the commit that ended the right to it."""
        mark = self._mark(subject)
        self._heard(mark)
        try:
            await self._valkey.run_script(_FORGET, [_LIST + mark.hex()], [])
        except ValkeyDown:
            log.warning("valkey is away: what it shares of a citizen ends by itself")
        await self._valkey.publish(CHANNEL, mark)

    def recent(self, wanted: Wanted) -> Any:
        """The answer as Seen where this process has it fresh, else None. Never waits."""
        kept = self._kept.get(wanted.identity)
        return kept.seen() if kept is not None and time.monotonic() < kept.fresh_until else None

    async def get(self, wanted: Wanted, kind: type[T], ask: Callable[[], Awaitable[T]]) -> Seen[T]:
        """The answer, from `ask` where nobody has it. `kind` is what it is decoded as when another process asked.

        Raises what `ask` raises, AgencyUnavailable where it was asked in vain just now.
        """
        identity, now = wanted.identity, time.monotonic()
        kept = self._kept.get(identity)
        if kept is not None and now < kept.fresh_until:
            return kept.seen()
        task = self._asking.get(identity)
        if task is None:
            task = asyncio.create_task(self._find(wanted, kind, ask), name="agency-read")
            self._asking[identity] = task
            task.add_done_callback(lambda done: self._over(identity, done))
        by = stale_after.get()
        if kept is not None and now < kept.fresh_until + wanted.revalidate_s and by != math.inf:
            return kept.seen()
        if by is not None and by != math.inf:
            with outside():
                await asyncio.wait((task,), timeout=max(0.0, by - now))
            kept = self._kept.get(identity)
            if not task.done() and kept is not None and time.monotonic() < kept.stale_until:
                return kept.seen()
        try:
            with outside():
                # One who goes away does not take the answer from the others.
                return (await asyncio.shield(task)).seen()
        except AgencyRejected:
            raise
        except AgencyError:
            kept = self._kept.get(identity)
            if kept is not None and time.monotonic() < kept.stale_until:
                return kept.seen()
            raise

    def _mark(self, subject: str) -> bytes:
        """Nobody can read from it whom it is about."""
        return self._vault.lasting_name("agency_reads.subject", subject)

    def _heard(self, mark: bytes) -> None:
        self._forgotten[mark] = time.monotonic()
        self._forgotten.move_to_end(mark)
        if len(self._forgotten) > MOST_KEPT:
            self._forgotten.popitem(last=False)
        for identity in [each for each, kept in self._kept.items() if kept.mark == mark]:
            del self._kept[identity]

    def _over(self, identity: str, task: "asyncio.Task[_Kept]") -> None:
        self._asking.pop(identity, None)
        if not task.cancelled():
            task.exception()

    async def _find(self, wanted: Wanted, kind: type[T], ask: Callable[[], Awaitable[T]]) -> "_Kept":
        if not wanted.shared:
            return await self._ask(wanted, ask)
        keys = self._keys(wanted)
        for _ in range(max(1, int(wanted.budget_s / LOOK_EVERY_S))):
            try:
                read = await self._valkey.run_script(_READ, keys, [int(wanted.budget_s * 1000)])
            except ValkeyDown:
                # One budget of waiting for it is enough: what comes of this stays here.
                return await self._ask(msgspec.structs.replace(wanted, shared=False), ask)
            blob, fresh_ms, turn = msgspec.convert(read, tuple[bytes | None, int, int])
            kept = self._opened(wanted, kind, blob, fresh_ms / 1000)
            if kept is not None:
                self._keep(wanted, kept)
            if kept is not None and turn == 0:
                return kept
            if turn == 3:
                raise _in_vain(wanted)
            if turn != 2:
                return await self._ask(wanted, ask)
            await asyncio.sleep(LOOK_EVERY_S)
        raise _in_vain(wanted)

    async def _ask(self, wanted: Wanted, ask: Callable[[], Awaitable[Any]]) -> "_Kept":
        identity, begun = wanted.identity, time.monotonic()
        if time.monotonic() < self._rests.get(identity, 0.0):
            await self._tell(wanted, _GIVE_BACK, [])
            raise _in_vain(wanted)
        try:
            with _allowances() as allowed:
                async with asyncio.timeout(wanted.budget_s):
                    value = await ask()
        except (AgencyUnavailable, TimeoutError) as error:
            self._rest(identity, wanted.rest_s)
            await self._tell(wanted, _FAILED, [max(1, int(wanted.rest_s * 1000))])
            raise error if isinstance(error, AgencyError) else _in_vain(wanted) from None
        except BaseException:
            await self._tell(wanted, _GIVE_BACK, [])
            raise
        fresh_s, stale_s = allowed.narrowed(wanted)
        now = time.monotonic()
        mark = self._mark(wanted.subject) if wanted.subject else b""
        kept = _Kept(value, datetime.now(UTC), now + fresh_s, now + max(stale_s, fresh_s), mark)
        if self._forgotten.get(mark, 0.0) > begun:
            await self._tell(wanted, _GIVE_BACK, [])
            return kept
        self._keep(wanted, kept)
        if wanted.shared and max(stale_s, fresh_s) > 0:
            plain = msgspec.json.encode((kept.as_of, value))
            blob = self._vault.encrypt(plain, _CONTEXT + identity)
            await self._tell(
                wanted, _WRITE, [blob, int(fresh_s * 1000), int(max(stale_s, fresh_s) * 1000), int(bool(mark))]
            )
        return kept

    def _opened(self, wanted: Wanted, kind: type[Any], blob: bytes | None, fresh_s: float) -> "_Kept | None":
        """None for what does not decrypt as the answer to this very question."""
        if blob is None:
            return None
        try:
            plain = self._vault.decrypt(blob, _CONTEXT + wanted.identity)
            as_of, raw = msgspec.json.decode(plain, type=tuple[datetime, msgspec.Raw])
            value = msgspec.json.decode(raw, type=kind)
        except (CannotDecrypt, msgspec.DecodeError):
            log.warning("a shared answer to %s is not its own and is not used", wanted.what)
            return None
        age_s = max((datetime.now(UTC) - as_of).total_seconds(), 0.0)
        if age_s > max(wanted.stale_s, wanted.fresh_s) + CLOCKS_APART_S:
            return None
        now = time.monotonic()
        mark = self._mark(wanted.subject) if wanted.subject else b""
        fresh_until = now + min(fresh_s, wanted.fresh_s)
        return _Kept(value, as_of, fresh_until, now + max(wanted.stale_s - age_s, fresh_s), mark)

    def _keep(self, wanted: Wanted, kept: "_Kept") -> None:
        known = self._kept.get(wanted.identity)
        if known is not None and known.as_of > kept.as_of:
            return
        self._kept[wanted.identity] = kept
        self._kept.move_to_end(wanted.identity)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _rest(self, identity: str, seconds: float) -> None:
        self._rests[identity] = time.monotonic() + seconds
        self._rests.move_to_end(identity)
        if len(self._rests) > MOST_KEPT:
            self._rests.popitem(last=False)

    async def _tell(self, wanted: Wanted, script: str, told: list[Any]) -> None:
        if not wanted.shared:
            return
        try:
            await self._valkey.run_script(script, self._keys(wanted), told)
        except ValkeyDown:
            return

    def _keys(self, wanted: Wanted) -> list[str]:
        """Nobody can read from a key whom it is about."""
        key = "read:" + self._vault.index("agency_reads", wanted.identity).hex()
        about = _LIST + (self._mark(wanted.subject).hex() if wanted.subject else "nobody")
        return [key, f"{key}.fresh", f"{key}.asking", f"{key}.failed", about]


class _Kept(msgspec.Struct, frozen=True):
    """An answer in this process; both limits by the monotonic clock. `mark`: whom it is about, b"" for nobody."""

    value: Any
    as_of: datetime
    fresh_until: float
    stale_until: float
    mark: bytes

    def seen(self) -> Seen[Any]:
        return Seen(self.value, self.as_of, time.monotonic() >= self.fresh_until)


class Allowances:
    """The least that the operations behind an answer allow."""

    def __init__(self) -> None:
        self._fresh_s = self._stale_s = float("inf")

    def note(self, policy: OperationPolicy) -> None:
        if policy.fresh_s is not None:
            self._fresh_s = min(self._fresh_s, policy.fresh_s)
        if policy.stale_s is not None:
            self._stale_s = min(self._stale_s, policy.stale_s)
        if not policy.safe:
            self._fresh_s = self._stale_s = 0.0

    def narrowed(self, wanted: Wanted) -> tuple[float, float]:
        """Fresh and stale seconds: the service's wish, within what the backend allows."""
        return min(wanted.fresh_s, self._fresh_s), min(wanted.stale_s, self._stale_s)


_listening: ContextVar[Allowances | None] = ContextVar("allowances", default=None)


def note_allowance(policy: OperationPolicy) -> None:
    """An operation was called: whoever keeps what comes of it keeps to its manifest."""
    allowances = _listening.get()
    if allowances is not None:
        allowances.note(policy)


@contextmanager
def _allowances() -> Iterator[Allowances]:
    allowances = Allowances()
    token = _listening.set(allowances)
    try:
        yield allowances
    finally:
        _listening.reset(token)


def _in_vain(wanted: Wanted) -> AgencyUnavailable:
    code: Literal["not_answered"] = "not_answered"
    return AgencyUnavailable(wanted.what, "read", "asked in vain just now", code=code)

"""A breaker for each operation of a backend: open after failures in a row or a share of failures, tried by one probe.

Every process has its own; what they find out they share through Valkey, and without it each goes by what it sees
itself. An operation that works costs no call to Valkey: what worked is told with the next failure.
"""

import asyncio
import functools
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Literal, cast

import msgspec

from app.backends.breaker_scripts import (
    ANSWERED,
    ENTER,
    FAILED,
    HASTEN,
    LONGEST_PAUSE_S,
    OUTAGE_SHARE,
    STATES,
    STEP_BACK,
)
from app.backends.controls import Controls
from app.backends.recent import Recent
from app.manifest import OperationPolicy
from app.valkey import Valkey, ValkeyDown

log = logging.getLogger("loket.backends")

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
# Who put something off for an outage longer than this is told of its end.
LONG_OUTAGE_S = 20.0
# A breaker that waits for another process's probe looks again, in case the news does not reach it.
LOOK_S = 0.5


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
        self.when_back: Callable[[], None] = _nobody

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
            if await self._valkey.run_script(ANSWERED, self._keys, [int(passed == "probe")]):
                self._announce("-1")
        except ValkeyDown:
            return

    async def failed(self, passed: Pass, asked_s: float | None = None) -> None:
        """It does not, and perhaps asked to be left alone for a while. Who went in together fails together: after the
        first of them the others only count."""
        if passed == "held":
            return
        was_shut = self._shut
        await self._count_failure(passed, min(asked_s or 0.0, LONGEST_ASKED_S))
        if self._shut and not was_shut:
            log.warning("%s %s is not asked for now: %s", *self.place, self.seen_here())

    async def step_back(self, passed: Pass) -> None:
        """The call learned nothing: the next one may try."""
        if passed != "probe":
            return
        self._probing = False
        try:
            await self._valkey.run_script(STEP_BACK, self._keys, [])
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
        # Not all processes at one moment.
        pause_s = min(seconds, LONGEST_PAUSE_S) * random.uniform(1.0, 1.1)  # noqa: S311 - jitter, not a secret
        self._opens_at = time.monotonic() + pause_s

    def open_again(self) -> None:
        """Another process's probe was answered."""
        self._close()

    def hasten(self) -> None:
        """An operator wants it tried now: the next call finds out."""
        if self._shut:
            self._opens_at = 0.0
        self.when_back()

    def seen_here(self) -> Standing:
        if not self._shut:
            return Standing(self.failures, -1.0)
        left_ms = max(self.wait_s, 0.0) * 1000
        return msgspec.structs.replace(self._cause, failures=self.failures, left_ms=left_ms)

    @property
    def _keys(self) -> list[str]:
        return [self.key, f"{self.key}.probe"]

    async def _count_failure(self, passed: Pass, asked_s: float) -> None:
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
            standing = _standing(await self._valkey.run_script(FAILED, self._keys, told))
        except ValkeyDown:
            self._judge_share_here()
            return
        self.failures = standing.failures
        if standing.left_ms >= 0:
            self.shut_for(standing.left_ms / 1000, standing.why)
            self._announce(f"{standing.why}:{standing.left_ms:.0f}")

    def _announce(self, told: str) -> None:
        self._valkey.announce(CHANNEL, f"{self._valkey.name} {self.key} {told}".encode())

    async def _as_probe(self) -> Pass:
        self._probing = True
        limit_ms = int(LONGEST_PAUSE_S * 1000) + 1000
        try:
            asked = await self._valkey.run_script(
                ENTER, self._keys, [int(PROBE_S * 1000), limit_ms, int(LOOK_S * 1000)]
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
        outage_s = time.monotonic() - self._shut_since if self._shut else 0.0
        if self._shut:
            self._recent.forget()
        self.failures, self._shut, self._probing = 0, False, False
        if outage_s >= LONG_OUTAGE_S:
            log.info("%s %s answers again after %.0f s", *self.place, outage_s)
            self.when_back()


class Breakers:
    """Every breaker of this process."""

    def __init__(self, controls: Controls, valkey: Valkey) -> None:
        self._controls = controls
        self._valkey = valkey
        self._known: dict[str, Breaker] = {}
        self._told_back: list[Callable[[str], None]] = []
        valkey.listen(CHANNEL, self._heard)

    def of(self, backend: str, operation: str, policy: OperationPolicy) -> Breaker:
        breaker = Breaker((backend, operation), policy, self._controls, self._valkey)
        breaker.when_back = functools.partial(self._tell_back, backend)
        return self._known.setdefault(breaker.key, breaker)

    def when_back(self, told: Callable[[str], None]) -> None:
        """Have `told` called with a backend's name when one of its operations answers after a long outage, or when an
        operator wants it tried now."""
        self._told_back.append(told)

    async def hasten(self, backend: str) -> Sequence[str]:
        """Have every process try what is shut of the backend with its next call; the operations. Raises ValkeyDown."""
        ours = [each for each in self._known.values() if each.place[0] == backend]
        told = cast("list[bytes]", await self._valkey.run_script(HASTEN, [each.key for each in ours], []))
        shut = [(each, why.decode()) for each, why in zip(ours, told, strict=True) if why]
        for each, why in shut:
            each.hasten()
            await self._valkey.publish(CHANNEL, f"{self._valkey.name} {each.key} {why}:0".encode())
        return [each.place[1] for each, _ in shut]

    async def states(self) -> Sequence[BreakerState]:
        """Every breaker, as the processes share it."""
        known = sorted(self._known.values(), key=lambda each: each.place)
        shared = True
        try:
            told = await self._valkey.run_script(STATES, [each.key for each in known], [])
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
            if left_ms == "0":
                breaker.hasten()

    def _tell_back(self, backend: str) -> None:
        for told in self._told_back:
            told(backend)


def _nobody() -> None:
    """Who listens to a breaker that stands alone."""


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

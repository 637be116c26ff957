"""Live queues, shared by all who watch: each is asked for at most once in five seconds, over all processes.

Keyed by facility, clinic and session; nothing of a person is asked, kept or told here.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from app.errors import AgencyError, AgencyRejected
from app.valkey import Valkey, ValkeyDown
from services.health.port import HealthPort, Queue, Session

FRESH_S = 5.0
BUDGET_S = 4.0
# Another process is asking: look this often whether it has heard, and no longer than it may take.
LOOK_EVERY_S = 0.1
STALE_FOR_S = 300.0
_MOST_KEPT = 2_000
# The queue where somebody has heard lately; else whether it is now ours to ask.
_READ = """
local told = redis.call('GET', KEYS[1])
if told then return told end
return redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) and 1 or 0
"""
_WRITE = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"

State = Literal["fresh", "stale", "failed"]


class Look(msgspec.Struct, frozen=True):
    """A session's queues as the facility told them at `as_of`. `refusal`: why it tells none, "" where it does. Failed:
    it could not be asked, and has not told lately."""

    state: State
    as_of: datetime
    queues: Sequence[Queue] = ()
    refusal: str = ""


class LiveQueues:
    """One process's view of the queues that citizens watch."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        # Each with the loop's time until when nobody is asked again.
        self._kept: OrderedDict[str, tuple[float, Look]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Look]] = {}

    async def look(self, facility: str, port: HealthPort | None, session: Session) -> Look:
        """At most five seconds old where the facility answers; else the last that was heard, as stale. Failed where it
        is not connected."""
        if port is None:
            return Look("failed", datetime.now(UTC))
        key = f"health.queue.{facility}.{session.clinic}.{session.day}.{session.doctor}.{session.hours}"
        until, kept = self._kept.get(key, (0.0, None))
        if kept is not None and _clock() < until:
            return kept
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, port, session), name="live-queue")
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, key: str, port: HealthPort, session: Session) -> Look:
        shared = None
        for _ in range(int(BUDGET_S / LOOK_EVERY_S)):
            shared = await self._shared(key)
            if shared is not None:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        if shared is None:
            return self._keep(key, Look("failed", datetime.now(UTC)))
        if isinstance(shared, Look):
            return self._keep(key, shared)
        look = await _told(port, session)
        await self._share(key, look)
        return self._keep(key, look)

    async def _shared(self, key: str) -> "Look | Literal['ours'] | None":
        """What another process heard; that it is ours to ask; None while another one asks."""
        try:
            read = await self._valkey.run_script(_READ, [key, f"{key}.asking"], [int(FRESH_S * 1000)])
        except ValkeyDown:
            return "ours"
        if isinstance(read, bytes):
            return msgspec.json.decode(read, type=Look)
        return "ours" if read == 1 else None

    async def _share(self, key: str, look: Look) -> None:
        try:
            told = msgspec.json.encode(look).decode()
            await self._valkey.run_script(_WRITE, [key], [told, int(FRESH_S * 1000)])
        except ValkeyDown:
            return

    def _keep(self, key: str, look: Look) -> Look:
        """The newest; where that is a failure, what was told lately, as stale."""
        until = _clock() + max(0.0, FRESH_S - _age_s(look))
        _, known = self._kept.get(key, (0.0, None))
        if look.state == "failed" and known is not None and known.queues and _age_s(known) < STALE_FOR_S:
            look = msgspec.structs.replace(known, state="stale")
        self._kept[key] = until, look
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return look


async def _told(port: HealthPort, session: Session) -> Look:
    try:
        async with asyncio.timeout(BUDGET_S):
            queues = await port.queues(session)
    except AgencyRejected as refused:
        return Look("fresh", datetime.now(UTC), refusal=refused.code or "refused")
    except (AgencyError, TimeoutError):
        return Look("failed", datetime.now(UTC))
    return Look("fresh", datetime.now(UTC), tuple(queues))


def _age_s(look: Look) -> float:
    return (datetime.now(UTC) - look.as_of).total_seconds()


def _clock() -> float:
    return asyncio.get_running_loop().time()

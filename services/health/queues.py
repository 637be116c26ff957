"""Live queues, shared by all who watch: each is asked for at most once in five seconds, over all processes.

Keyed by facility, clinic and session; nothing of a person is asked, kept or told here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from app.agency_reads import Reads, Wanted
from app.errors import AgencyError, AgencyRejected
from services.health.port import HealthPort, Queue, Session

FRESH_S = 5.0
BUDGET_S = 4.0
STALE_FOR_S = 300.0

State = Literal["fresh", "stale", "failed"]


class Look(msgspec.Struct, frozen=True):
    """A session's queues as the facility told them at `as_of`. `refusal`: why it tells none, "" where it does. Failed:
    it could not be asked, and has not told lately."""

    state: State
    as_of: datetime
    queues: Sequence[Queue] = ()
    refusal: str = ""


class Told(msgspec.Struct, frozen=True):
    """What a facility answers."""

    queues: tuple[Queue, ...] = ()
    refusal: str = ""


class LiveQueues:
    """One process's view of the queues that citizens watch."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def look(self, facility: str, port: HealthPort | None, session: Session) -> Look:
        """At most five seconds old where the facility answers; else the last that was heard, as stale. Failed where it
        is not connected."""
        if port is None:
            return Look("failed", datetime.now(UTC))

        async def ask() -> Told:
            try:
                return Told(tuple(await port.queues(session)))
            except AgencyRejected as refused:
                return Told(refusal=refused.code or "refused")

        try:
            seen = await self._reads.get(wanted(facility, session), Told, ask)
        except AgencyError:
            return Look("failed", datetime.now(UTC))
        return Look("stale" if seen.is_stale else "fresh", seen.as_of, seen.value.queues, seen.value.refusal)


def wanted(facility: str, session: Session) -> Wanted:
    """The question after a session's queues."""
    return Wanted(
        what="health.queue",
        scope=f"{facility}.{session.clinic}.{session.day}.{session.doctor}.{session.hours}",
        fresh_s=FRESH_S,
        stale_s=STALE_FOR_S,
        rest_s=FRESH_S,
        budget_s=BUDGET_S,
    )

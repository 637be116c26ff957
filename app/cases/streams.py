"""A case's timeline as server-sent events (WHATWG HTML, 9.2), from where a client left off."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from app.cases.reads import events_after
from app.cases.schemas import TimelineEvent
from app.cases.states import FINAL
from app.cases.timeline import event_view
from app.cases.tools import CaseTools
from app.errors import BadRequest, TooManyRequests
from app.login.gate import Gate
from app.login.guards import Caller
from app.texts import Language

MOST_PER_CITIZEN = 5
LONGEST_S = 1800.0
_AGAIN = b"retry: 2000\n\n"
_open: Counter[UUID] = Counter()


def written(event: TimelineEvent) -> bytes:
    """One event, under its number."""
    return b"id: %d\nevent: timeline\ndata: %s\n\n" % (event.seq, msgspec.json.encode(event))


_HANDED_IN = TimelineEvent(1, datetime(2026, 11, 23, 2, 0, tzinfo=UTC), "submitted", "submitted", "Handed in.", {})
# What the contract shows.
EXAMPLE = (_AGAIN + written(_HANDED_IN) + b": still here\n\n").decode()


def last_seen(header: str | None) -> int:
    """The Last-Event-ID a client sends when it comes again. Raises BadRequest for one that is none of ours."""
    if not header:
        return 0
    if not header.isascii() or not header.isdigit() or len(header) > 9:
        raise BadRequest("last_event_id_invalid")
    return int(header)


def reserve(citizen_id: UUID) -> None:
    """Count one stream. Raises TooManyRequests where the citizen holds too many."""
    if _open[citizen_id] >= MOST_PER_CITIZEN:
        raise TooManyRequests("too_many_streams", params={"limit": MOST_PER_CITIZEN}, retry_after_s=10)
    _open[citizen_id] += 1


def release(citizen_id: UUID) -> None:
    """Give back what was counted."""
    _open[citizen_id] -= 1
    if not _open[citizen_id]:
        del _open[citizen_id]


class Viewer(msgspec.Struct, frozen=True):
    """Who watches which case, from which event on, in which language."""

    case_id: UUID
    caller: Caller
    seen: int
    language: Language


async def stream(viewer: Viewer, gate: Gate, tools: CaseTools) -> AsyncIterator[bytes]:
    """Events until the case has ended, the session is revoked, or half an hour is over: then the client comes again.

    No database connection is held while waiting.
    """
    case_id, caller, seen = viewer.case_id, viewer.caller, viewer.seen
    until = time.monotonic() + LONGEST_S
    try:
        with tools.wakeups.watch(case_id) as watch:
            yield _AGAIN
            while time.monotonic() < until and caller.session_id not in gate.revocations:
                rows = await events_after(case_id, seen, tools)
                for row in rows:
                    seen = row["seq"]
                    yield written(event_view(row, tools.vault, viewer.language))
                if rows and rows[-1]["status"] in FINAL:
                    break
                if not rows:
                    yield b": still here\n\n"
                await watch.wait()
    finally:
        release(caller.id)

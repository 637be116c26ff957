"""A home as server-sent events: what is known at once, then each part that was late or old, then the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from app.cases import streams
from app.home.gathering import ANSWER_AFTER_S, STALE_AFTER_S, Placed, ask_all, break_off, told_by_now
from app.home.port import Asker
from app.home.schemas import HomeView, PartView
from app.login.gate import Gate

# How often one who waits hears that we are there, and their session is looked at.
BEAT_S = 2.0
# One who comes again when it has ended anyway does so after this: a browser's EventSource comes by itself.
AGAIN_MS = 60_000


async def stream(sources: Sequence[Placed], asker: Asker, gate: Gate) -> AsyncIterator[bytes]:
    """`home`, then a `part` for each that was late, and each that was stale where it has been told anew; then `end`.

    Every part ends within its own time, and with it the stream; or when the session is revoked, without `end`. The
    caller has reserved a stream, which this gives back.
    """
    tasks = ask_all(sources, asker, time.monotonic() + STALE_AFTER_S)
    try:
        yield b"retry: %d\n\n" % AGAIN_MS
        await asyncio.wait(tasks.values(), timeout=ANSWER_AFTER_S)
        home = told_by_now(sources, tasks, asker.language)
        yield written("home", home)
        old = {part.name: part for part in home.parts if part.state == "stale"}
        tasks |= ask_all([each for each in sources if each.name in old], asker)
        pending = {task for task in tasks.values() if not task.done()}
        while pending and asker.caller.session_id not in gate.revocations:
            done, pending = await asyncio.wait(pending, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
            for part in (task.result() for task in done):
                if _is_news(part, old.get(part.name)):
                    yield written("part", part)
            if not done:
                yield b": still here\n\n"
        if not pending:
            yield written("end", {})
    finally:
        break_off(tasks.values())
        streams.release(asker.caller.id)


def written(name: str, told: HomeView | PartView | Mapping[str, object]) -> bytes:
    """One event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(told))


def _is_news(part: PartView, known: PartView | None) -> bool:
    """Of a part that was shown as stale: whether it was told since."""
    if known is None or known.as_of is None:
        return True
    return part.as_of is not None and (part.state == "fresh" or part.as_of > known.as_of)

"""Waking the streams of a case when its timeline grew, in whichever process it grew."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from app.cases.timeline import CHANNEL
from app.valkey import Valkey

# Without Valkey a stream looks for itself this often.
LOOK_S = 5.0


class Watch:
    """One stream's ear on one case. Made before the first look, so that no news falls between look and wait."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def wait(self) -> None:
        """Return when there may be news: at a wake-up, or after LOOK_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        self._news.clear()


class Wakeups:
    """Who watches which case, in this process."""

    def __init__(self, valkey: Valkey) -> None:
        self._watches: defaultdict[UUID, set[Watch]] = defaultdict(set)
        valkey.listen(CHANNEL, self._wake)

    @contextmanager
    def watch(self, case_id: UUID) -> Iterator[Watch]:
        watch = Watch()
        self._watches[case_id].add(watch)
        try:
            yield watch
        finally:
            self._watches[case_id].discard(watch)
            if not self._watches[case_id]:
                del self._watches[case_id]

    def _wake(self, message: bytes) -> None:
        with suppress(ValueError):
            for watch in self._watches.get(UUID(message.decode()), ()):
                watch.wake()

"""Places for calls at once, taken in turn: who comes when all are taken waits; the first to come is served first."""

import asyncio
from collections import deque
from contextlib import suppress


class Places:
    """As many as `most`, in this process alone."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        # The most in use at once, and how often one was taken: whoever plans ahead lowers the first by and by.
        self.peak = 0.0
        self.taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many may be used now."""
        return self.most

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit

    @property
    def needed(self) -> int:
        """In use or waited for."""
        return self.used + len(self._queue)

    async def __aenter__(self) -> None:
        if not self._queue and self.used < self.limit:
            self._take()
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._ask_for_more()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    self._queue.remove(turn)
            else:  # its turn came just as it gave up
                self._give_back()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _take(self) -> None:
        self.used += 1
        self.taken += 1
        self.peak = max(self.peak, self.used)

    def _give_back(self) -> None:
        self.used -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        """To those who wait, in turn."""
        while self._queue and self.used < self.limit:
            turn = self._queue.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)

    def _ask_for_more(self) -> None:
        """Somebody has to wait: alone there is nobody to ask."""

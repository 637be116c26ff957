"""Where a worker's deliveries wait for a backend: shut after a failure, opened by one probe, a door for each operation.

app.backends.breaker refuses calls; here nobody makes one, and everybody follows within seconds of the backend's return.
"""

import asyncio
import random
import time
from collections import defaultdict
from contextlib import suppress
from typing import Literal

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
LONGEST_ASKED_PAUSE_S = 60.0
# How a caller was let through: with everybody, or alone to find out whether the backend is back.
Pass = Literal["free", "probe"]


class Gate:
    """Open, or shut until `_opens_at` (monotonic), when exactly one caller is let through to try."""

    def __init__(self) -> None:
        self._opens_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._shut = False
        self._probing = False
        self._news = asyncio.Event()

    async def enter(self, patience_s: float) -> Pass | None:
        """Whether the backend may be asked now; None after `patience_s` of waiting at a shut door."""
        deadline = time.monotonic() + patience_s
        while self._shut:
            now = time.monotonic()
            if not self._probing and now >= self._opens_at:
                self._probing = True
                return "probe"
            if now >= deadline:
                return None
            self._news.clear()
            wait_s = min(deadline, max(self._opens_at, now + 0.05) if not self._probing else deadline) - now
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
        return "free"

    def failed(self, held: Pass, retry_after_s: float | None = None) -> None:
        """The backend could not serve: shut, a little longer after each probe, or as long as the backend asked for.

        Those who went in together fail together: all but the first of them change nothing.
        """
        asked_s = min(retry_after_s or 0.0, LONGEST_ASKED_PAUSE_S)
        if held == "free" and self._shut:
            self._opens_at = max(self._opens_at, time.monotonic() + asked_s)
            return
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2) if held == "probe" else FIRST_PAUSE_S
        pause_s = max(self._pause_s * random.uniform(0.8, 1.0), asked_s)  # noqa: S311 - jitter, not a secret
        self._opens_at = time.monotonic() + pause_s
        self._shut, self._probing = True, False
        self._news.set()

    def step_back(self, held: Pass) -> None:
        """The caller let through did not ask, or learned nothing: the next one may try."""
        if held == "probe":
            self._probing = False
            self._news.set()

    def hasten(self) -> None:
        """There is word that it may be back: the next one may try now."""
        self._opens_at = 0.0
        self._news.set()

    def answered(self) -> None:
        """The backend served: everybody through."""
        self._shut, self._probing = False, False
        self._pause_s = FIRST_PAUSE_S
        self._news.set()


class Gates(defaultdict[tuple[str, str], Gate]):
    """This process's door to each operation of each backend."""

    def __init__(self) -> None:
        super().__init__(Gate)

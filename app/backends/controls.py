"""What operators decided, as one process knows it: read at start, at every news by Valkey, and every two seconds.

Times are kept by the monotonic clock, counted by PostgreSQL's: a step of this machine's clock begins or ends nothing.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

import msgspec

from app.database import AWAY, Database
from app.tasks import end
from app.valkey import Valkey

log = logging.getLogger("loket.backends")

CHANNEL = "loket.backends"
POLL_S = 2.0
# Planned maintenance is told this long before.
TOLD_BEFORE_S = 14 * 24 * 3600.0
_WINDOWS = """
SELECT backend, service, starts_at, ends_at, extract(epoch FROM starts_at - now())::float AS starts_in_s,
    extract(epoch FROM ends_at - now())::float AS ends_in_s
FROM maintenance_windows WHERE ends_at IS NULL OR ends_at > now() ORDER BY starts_at, id
"""
_OVERRIDES = "SELECT backend, operation, state FROM breaker_overrides"


class Maintenance(msgspec.Struct, frozen=True):
    """A window; `begins` and `ends` by the monotonic clock."""

    backend: str
    service: str
    starts_at: datetime
    ends_at: datetime | None
    begins: float
    ends: float

    def concerns(self, backend: str, service: str) -> bool:
        return self.backend in ("", backend) and self.service in ("", service)

    @property
    def is_on(self) -> bool:
        return self.begins <= time.monotonic() < self.ends

    @property
    def left_s(self) -> float:
        """Infinite for a pause."""
        return self.ends - time.monotonic()


class Controls:
    """Maintenance windows and breakers held by hand. Answers from memory."""

    def __init__(self, database: Database, valkey: Valkey) -> None:
        self._database = database
        self._valkey = valkey
        self._windows: Sequence[Maintenance] = ()
        self._overrides: Mapping[tuple[str, str], Literal["open", "closed"]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        valkey.listen(CHANNEL, lambda _: self._news.set())

    @property
    def holds_any(self) -> bool:
        """Whether any breaker is held by hand."""
        return bool(self._overrides)

    def held(self, backend: str, operation: str) -> Literal["open", "closed"] | None:
        """How an operation's breaker is held by hand; its own word goes before the backend's."""
        if not self._overrides:
            return None
        return self._overrides.get((backend, operation)) or self._overrides.get((backend, ""))

    def maintenance(self, backend: str, service: str) -> Maintenance | None:
        """What keeps cases of the service from the backend now: what lasts longest."""
        if not self._windows:
            return None
        found = [each for each in self._windows if each.is_on and each.concerns(backend, service)]
        return max(found, key=lambda each: each.ends, default=None)

    def concerns(self, backend: str) -> bool:
        """Whether a window is on for any of the backend's services."""
        return any(each.is_on and each.backend in ("", backend) for each in self._windows)

    def planned(self, backends: Sequence[str], service: str) -> Maintenance | None:
        """The next window of a service that lives on all of `backends` together; one that is on comes first."""
        soon = time.monotonic() + TOLD_BEFORE_S
        return next((each for each in self._windows if each.begins < soon and _of_all(each, backends, service)), None)

    async def announce(self) -> None:
        """Tell every process, after the commit, that something was decided; without Valkey they find out themselves."""
        self._news.set()
        await self._valkey.publish(CHANNEL, b"changed")

    async def open(self) -> None:
        await self.look()
        self._task = asyncio.create_task(self._keep_looking(), name="backend-controls")

    async def close(self) -> None:
        await end(self._task)

    async def look(self) -> None:
        """Read what stands. Keeps what was known where the database is away."""
        try:
            windows = await self._database.fetch(_WINDOWS)
            overrides = await self._database.fetch(_OVERRIDES)
        except AWAY as error:
            log.warning("operators' decisions not read: %s", type(error).__name__)
            return
        now = time.monotonic()
        self._windows = [_maintenance(row, now) for row in windows]
        self._overrides = {(row["backend"], row["operation"]): row["state"] for row in overrides}

    async def _keep_looking(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()
            self._news.clear()
            await self.look()


def _maintenance(row: Mapping[str, Any], now: float) -> Maintenance:
    ends_in_s = row["ends_in_s"]
    return Maintenance(
        row["backend"],
        row["service"],
        row["starts_at"],
        row["ends_at"],
        now + row["starts_in_s"],
        float("inf") if ends_in_s is None else now + ends_in_s,
    )


def _of_all(window: Maintenance, backends: Sequence[str], service: str) -> bool:
    return bool(backends) and all(window.concerns(backend, service) for backend in backends)

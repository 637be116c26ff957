"""Ended sessions, known to every process: at once by Valkey, and without it within seconds by asking the database."""

import asyncio
import logging
import time
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.database import AWAY, Database
from app.login.models import Session
from app.login.tokens import ACCESS_TOKEN_S, LEEWAY_S
from app.tasks import end
from app.valkey import Valkey

log = logging.getLogger("loket.login")

CHANNEL = "loket.sessions.revoked"
POLL_S = 2.0
# Where it could not be asked: who comes in first when PostgreSQL is back should not be who was locked out meanwhile.
POLL_AGAIN_S = 0.2
# At start: every session whose access tokens may still be about.
FIRST_LOOK_S = 600
# Each later look reaches back over the longest transaction, whose commit may come after a later one's.
LOOK_BACK_S = 60
# After this no access token of the session can be valid any more.
_KEEP_S = ACCESS_TOKEN_S + LEEWAY_S + LOOK_BACK_S


class Revocations:
    """The ended sessions of the last minutes, by id."""

    def __init__(self, database: Database, valkey: Valkey) -> None:
        self._database = database
        self._valkey = valkey
        self._revoked: dict[UUID, float] = {}
        self._looked_at = time.monotonic() - FIRST_LOOK_S
        self._task: asyncio.Task[None] | None = None
        valkey.listen(CHANNEL, self._heard)

    def __contains__(self, session_id: UUID) -> bool:
        return session_id in self._revoked

    def add(self, session_id: UUID) -> None:
        self._revoked.setdefault(session_id, time.monotonic())

    async def announce(self, *session_ids: UUID) -> None:
        """Refuse these here from now on, and tell the other processes. Call it after the commit that ended them."""
        for session_id in session_ids:
            self.add(session_id)
        if session_ids:
            await self._valkey.publish(CHANNEL, b"".join(session_id.bytes for session_id in session_ids))

    async def open(self) -> None:
        await self.look()
        self._task = asyncio.create_task(self._keep_looking(), name="revocations")

    async def close(self) -> None:
        await end(self._task)

    async def look(self) -> None:
        """Read what ended since the last look that succeeded, by the database's own clock."""
        started = time.monotonic()
        since = func.now() - timedelta(seconds=LOOK_BACK_S + started - self._looked_at)
        async with self._database.transaction() as session:
            for session_id in await session.scalars(select(Session.id).where(Session.revoked_at > since)):
                self.add(session_id)
        self._looked_at = started

    def _heard(self, message: bytes) -> None:
        for start in range(0, len(message) - len(message) % 16, 16):
            self.add(UUID(bytes=message[start : start + 16]))

    async def _keep_looking(self) -> None:
        is_away = False
        while True:
            await asyncio.sleep(POLL_AGAIN_S if is_away else POLL_S)
            self._forget_old()
            try:
                await self.look()
                is_away = False
            except AWAY as error:
                if not is_away:
                    log.warning("ended sessions could not be read: %s", type(error).__name__)
                is_away = True

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _KEEP_S
        for session_id in [found for found, added in self._revoked.items() if added < oldest]:
            del self._revoked[session_id]

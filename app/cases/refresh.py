"""Asking after cases whose agency never calls back: one asker per backend, at the pace its manifest allows."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from app.cases.casedata import CASE_DATA_COLUMNS, case_data
from app.cases.follow import is_for_officers, put_before_officer, take_back
from app.cases.settle import apply_progress, sealed_words, unanswered
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.database import AWAY, Connection
from app.errors import AgencyError
from app.manifest import PollPolicy

log = logging.getLogger("loket.refresh")

BATCH = 50
IDLE_S = 0.5
TAKEOVER_S = 5.0

# Due cases, put off by one interval at once: an asker that dies on the way loses nothing but that interval. Nobody is
# asked about a citizen who restricted it, or who withdrew the consent that the case rests on.
_DUE = f"""
WITH due AS (
    SELECT id FROM cases WHERE backend = $1 AND next_refresh_at <= now()
    ORDER BY next_refresh_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
), put_off AS (
    UPDATE cases SET next_refresh_at = now() + make_interval(secs => $2) FROM due WHERE cases.id = due.id
)
SELECT cases.id AS case_id, now() AS asked_at, {CASE_DATA_COLUMNS}
FROM due JOIN cases ON cases.id = due.id JOIN citizens ON citizens.id = cases.citizen_id
WHERE restricted_at IS NULL
    AND NOT EXISTS (SELECT FROM consents WHERE consents.case_id = cases.id AND withdrawn_at IS NOT NULL)
"""  # noqa: S608 - constants of ours


class Refresher:
    """Keeps the cases of one backend true, while this worker holds the backend's lock."""

    def __init__(self, backend: str, policy: PollPolicy, tools: CaseTools, *, demo: bool) -> None:
        self._backend = backend
        self._tools = tools
        self._interval_s = policy.demo_interval_s if demo else policy.interval_s
        self._pause_s = 1.0 / policy.per_second

    async def run(self) -> None:
        """Until cancelled. When this worker dies its lock goes with its connection, and another takes over."""
        while True:
            with suppress(*AWAY):
                await self._run_while_holding_lock()
            await asyncio.sleep(TAKEOVER_S)

    async def _run_while_holding_lock(self) -> None:
        async with self._tools.database.connection() as lock:
            if not await lock.fetchval(_TRY_LOCK, self._backend):
                return
            try:
                while True:
                    if not await self._round(lock):
                        await asyncio.sleep(IDLE_S)
            finally:
                await lock.fetchval(_UNLOCK, self._backend)

    async def _round(self, connection: Connection) -> int:
        rows: Sequence[Mapping[str, Any]] = await connection.fetch(_DUE, self._backend, self._interval_s)
        for row in rows:
            await asyncio.sleep(self._pause_s)
            try:
                await self.refresh(row)
            except AgencyError as error:
                log.info("asking after a case failed: %s", error)
                if is_for_officers(error):
                    await self._before_officer(row["case_id"], error)
            except Exception:
                # One case that cannot be asked after must not end the asking after all others.
                log.exception("asking after case %s failed in a way nobody foresaw", row["case_id"])
        return len(rows)

    async def refresh(self, row: Mapping[str, Any]) -> None:
        """Ask after one case (`case_id`, `asked_at` and CASE_DATA_COLUMNS). Raises AgencyError."""
        handler = self._tools.modules[row["module"]].handler
        progress = sealed_words(await handler.progress(case_data(row, self._tools)), self._tools.vault)
        zone = self._tools.catalog.timezone
        async with self._tools.database.begin() as connection:
            if progress.status == "needs_citizen":
                progress = await unanswered(connection, row["case_id"], progress, row["asked_at"])
            changed = await apply_progress(connection, row["case_id"], progress, self._interval_s, zone)
            await take_back(connection, row["case_id"])
        if changed:
            await self._tools.valkey.publish(CHANNEL, str(row["case_id"]).encode())

    async def _before_officer(self, case_id: UUID, error: AgencyError) -> None:
        async with self._tools.database.begin() as connection:
            is_new = await put_before_officer(connection, case_id, error)
        if is_new:
            log.warning("case %s needs an officer: %s", case_id, error.code)
            await self._tools.valkey.publish(CHANNEL, str(case_id).encode())


_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('refresh.' || $1, 11))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('refresh.' || $1, 11))"

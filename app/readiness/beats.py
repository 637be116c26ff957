"""Writing and reading the workers' sign of life."""

import asyncio
import logging
from contextlib import suppress
from uuid import UUID

from app.database import AWAY, Database
from app.ids import uuid7

log = logging.getLogger("loket.worker")

EVERY_S = 5.0
ALIVE_S = 30

_BEAT = """
WITH gone AS (DELETE FROM worker_beats WHERE at < now() - interval '1 hour')
INSERT INTO worker_beats (worker_id, at) VALUES ($1, now()) ON CONFLICT (worker_id) DO UPDATE SET at = now()
"""
_ALIVE = f"SELECT EXISTS (SELECT 1 FROM worker_beats WHERE at > now() - interval '{ALIVE_S} seconds')"  # noqa: S608 - constants of ours


async def beat(database: Database) -> None:
    """Beat until cancelled."""
    worker_id: UUID = uuid7()
    while True:
        with suppress(*AWAY):
            async with database.connection() as connection:
                await connection.execute(_BEAT, worker_id)
        await asyncio.sleep(EVERY_S)


async def any_worker(database: Database) -> bool:
    """Whether some worker beat within ALIVE_S."""
    async with database.connection() as connection:
        return bool(await connection.fetchval(_ALIVE))

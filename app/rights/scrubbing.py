"""After a deletion: tables and indexes are written anew without the bytes of the rows that went.

PostgreSQL leaves removed rows in its pages until others overwrite them. So every table that holds something of citizens
is rewritten once, at an hour when nobody is kept waiting; the requests are done when that is.
"""

import logging
import zoneinfo
from datetime import datetime
from uuid import UUID

import asyncpg

from app.audit.models import AuditRow
from app.cases.tools import CaseTools
from app.database import Connection
from app.rights.models import DataRequest
from app.rights.registry import FOREIGN, places
from app.settings import Settings

log = logging.getLogger("loket.rights")

_WAITING = """
SELECT id FROM data_requests WHERE kind = 'deletion' AND state = 'waiting' AND code = 'scrubbing' ORDER BY id LIMIT 500
"""
# A transaction that began before the deletion ended may still see the rows: then a rewrite would carry them along.
_SEEN_STILL = """
SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
    AND datname = current_database()
    AND xact_start < (SELECT max(run_at) FROM data_requests WHERE id = ANY($1::uuid[])))
"""
_DONE = """
UPDATE data_requests SET state = 'done', code = '', ended_at = now(), scrubbed_at = now() WHERE id = ANY($1::uuid[])
"""
_LOCK = "SELECT pg_try_advisory_lock(7216540121)"
_UNLOCK = "SELECT pg_advisory_unlock(7216540121)"
_AS_BEFORE = "RESET statement_timeout; RESET lock_timeout"
# They only grow, and have no name in them.
_LEFT = {AuditRow.__tablename__, *FOREIGN}


def is_quiet(settings: Settings, zone: zoneinfo.ZoneInfo, now: datetime) -> bool:
    """Whether tables may be locked for a moment now: in the demo always, else within the hours of LOKET_SCRUB_HOURS."""
    if settings.is_demo:
        return True
    first, last = (int(hour) for hour in settings.scrub_hours.split("-"))
    hour = now.astimezone(zone).hour
    return first <= hour < last if first < last else hour >= first or hour < last


async def scrub(tools: CaseTools) -> int:
    """Write the tables anew if somebody was deleted since; how many requests are done by it. 0 while another does it,
    or where a table is not to be had now: then it is tried again."""
    async with tools.database.connection() as connection:
        waiting = [row["id"] for row in await connection.fetch(_WAITING)]
        if not waiting or not await connection.fetchval(_LOCK):
            return 0
        try:
            return await _rewrite(connection, waiting)
        except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError) as error:
            log.warning("tables could not be written anew: %s", error)
            return 0
        finally:
            await connection.execute(_AS_BEFORE)
            await connection.fetchval(_UNLOCK)


async def _rewrite(connection: Connection, waiting: list[UUID]) -> int:
    if await connection.fetchval(_SEEN_STILL, waiting):
        return 0
    await connection.execute("SET statement_timeout = 0")
    await connection.execute("SET lock_timeout = '3s'")
    for place in places():
        if place.table not in _LEFT and place.table != DataRequest.__tablename__:
            await connection.execute(f"VACUUM (FULL) {place.table}")
    await connection.execute(_DONE, waiting)
    return len(waiting)

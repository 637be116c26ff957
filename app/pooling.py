"""Finds a pooler that gives one connection's statements to several of PostgreSQL's, and refuses to start behind it.

What a connection says of who asks would reach another's statements there: advisory locks, LISTEN and prepared
statements too. A connection of its own, or a pooler by session, is never refused.
"""

import asyncio
import logging

import asyncpg

from app.database import Connection, Database
from app.settings import SettingsError

ROUNDS = 4
# Whoever has to wait this long has learned nothing, and is let through.
PATIENCE_S = 2.0
log = logging.getLogger("loket")
# What was prepared a moment ago on this connection is gone, or there already.
_OF_ANOTHER = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
# PgBouncer's word to a transaction that begins where it pools by statement.
_BY_STATEMENT = "statement pooling"
_WHICH = "SELECT pg_backend_pid()"
_REFUSAL = (
    "LOKET_DATABASE_URL leads through a pooler that pools by transaction (one connection here is served by several of "
    "PostgreSQL's): set pool_mode = session there (README.md, Behind PgBouncer), or connect to PostgreSQL itself"
)


async def wait_for_own_connections(database: Database) -> None:
    """Return once PostgreSQL can be asked; one round trip more where nothing stands between us and it.

    Raises SettingsError behind such a pooler, and what `Database.wait` raises.
    """
    try:
        await database.wait()
        shared = await is_shared(database)
    except _OF_ANOTHER:
        shared = True
    if shared:
        log.error(_REFUSAL)
        raise SettingsError(_REFUSAL)


async def is_shared(database: Database) -> bool:
    """Whether it was seen. Another's use of the pooler shows it sooner, and never shows what is not."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _seen(database)
    except _OF_ANOTHER:
        return True
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Of anything else what comes next will say what is wrong.
        return _BY_STATEMENT in str(error)


async def _seen(database: Database) -> bool:
    async with database.connection() as ours:
        # A pooler greets its clients with an id that is none of PostgreSQL's.
        if await ours.fetchval(_WHICH) == ours.get_server_pid():
            return False
        async with database.connection() as another:
            for _ in range(ROUNDS):
                if await _shares(ours, another):
                    return True
    return False


async def _shares(ours: Connection, another: Connection) -> bool:
    """Whether a statement of `ours` was ever answered by another server connection than the one before. While `another`
    is in a transaction, it holds what `ours` had, or `ours` comes upon a third."""
    before = [await ours.fetchval(_WHICH) for _ in range(2)]
    async with another.transaction():
        held = await another.fetchval(_WHICH)
        if held in before:
            return True
        return len({*before, await ours.fetchval(_WHICH)}) > 1

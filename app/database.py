"""The engine, the declarative base and short transactions. Nobody commits by hand; nobody holds one over a call out."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, MetaData, PoolProxiedConnection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import Uuid

from app.asking import SERVICE, SETTING, asks, at_desk
from app.personal import Personal
from app.pools import Addresses, Pools
from app.tracing import span

if TYPE_CHECKING:
    # Generic in the stubs alone.
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection

log = logging.getLogger("loket")

STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 3_000
IDLE_IN_TRANSACTION_MS = 15_000
# Kept for officers beside what all share: whatever citizens do, who looks after it gets in.
DESK_POOL = 2
_SAY = f"SELECT set_config('{SETTING}', $1, $2)"
_SAY_IN_SESSION = text(f"SELECT set_config('{SETTING}', :who, true)")
START_PATIENCE_S = 30.0
# What it looks like that PostgreSQL is away, at whichever moment it went: a loop that does not expect all of them ends
# with the first it does not, and nothing begins it anew. The last is the driver's word where a connection ends within
# a statement.
AWAY = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_INDEX_KEY = "SELECT key_id, former_ids FROM standing_keys WHERE kind = 'index'"
_OTHER_KEY = (
    "the index key of this database was changed while this process ran: it serves nobody any more. Start it anew, with "
    "the new LOKET_INDEX_KEY"
)
# A trace shows how long a connection was held, and waited for: a statement's time is in there, its words are not.
_SPAN, _WAITED = "postgresql", "loket.pool_wait_ms"


class Base(DeclarativeBase):
    """Every table of the product. Migrations find each models.py as app.main does.

    `personal` says of each table what it holds of a citizen; tests/structure refuses one that does not.
    """

    personal: ClassVar[Personal]

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


class Database:
    """One engine and its sessions, for one process and one event loop."""

    def __init__(self, url: str, *, pool_size: int, name: str) -> None:
        settings: dict[str, Any] = {
            "timeout": 5,
            "server_settings": {
                "application_name": f"loket-{name}",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                "timezone": "UTC",
                SETTING: SERVICE,
            },
        }
        addresses = Addresses(sqlalchemy_url(url), driver_url(url))
        self._index_key_id = ""
        self._shared = Pools(addresses, pool_size, settings, self._greet)
        self._desk = Pools(addresses, DESK_POOL, settings, self._greet)

    async def wait(self, patience_s: float = START_PATIENCE_S) -> None:
        """Return once PostgreSQL can be asked; raises what it says where that takes longer. A killed server is back
        within a second or two, and a process of ours that gave up on it takes longer than that to start anew."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                async with self.connection():
                    return
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or rolled back by any exception."""
        with span(_SPAN, "client"):
            async with self._for_sessions().sessions() as session, session.begin():
                if (who := asks.get()) != SERVICE:
                    await session.execute(_SAY_IN_SESSION, {"who": who})
                yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A driver connection outside any transaction, for the hottest single statements: each commits by itself."""
        async with self._borrowed() as borrowed:
            if (who := asks.get()) == SERVICE:
                yield borrowed
                return
            try:
                # Broken off on its way, it may have been heard all the same.
                await borrowed.fetchval(_SAY, who, False)
                yield borrowed
            except BaseException:
                # Who broke it off, or why it failed, matters more than a connection that is lost with it.
                with suppress(*AWAY):
                    await _say_service(borrowed)
                raise
            await _say_service(borrowed)

    async def fetch(self, statement: str, *given: object) -> Sequence[Mapping[str, Any]]:
        """The rows of one statement."""
        async with self.connection() as borrowed:
            return cast("Sequence[Mapping[str, Any]]", await borrowed.fetch(statement, *given))

    async def fetch_said(self, statement: str, *given: object) -> Sequence[Mapping[str, Any]]:
        """The same without a further round trip, for a statement that says itself who asks (`app.asking.said_for`)."""
        async with self._borrowed() as borrowed:
            return cast("Sequence[Mapping[str, Any]]", await borrowed.fetch(statement, *given))

    @asynccontextmanager
    async def said(self) -> AsyncIterator[Connection]:
        """A driver connection for statements that say themselves who asks."""
        async with self._borrowed() as borrowed:
            yield borrowed

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """A driver connection in a transaction that is committed at the end, or rolled back by any exception. A third
        of what an ORM session costs: for the writes that every citizen waits for."""
        async with self._borrowed() as borrowed, borrowed.transaction():
            if (who := asks.get()) != SERVICE:
                await borrowed.fetchval(_SAY, who, True)
            yield borrowed

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        lender = await (self._desk if at_desk.get() and self._shared.has_no_driver else self._shared).lender()
        with span(_SPAN, "client") as told:
            borrowed = await lender.take()
            told.reached(_WAITED)
            whole = False
            try:
                # The pool's proxy offers all that a connection does; the stubs do not say so.
                yield cast("Connection", borrowed)
                whole = True
            finally:
                await lender.give_back(borrowed, whole=whole)

    def _for_sessions(self) -> Pools:
        return self._desk if at_desk.get() and self._shared.has_no_session else self._shared

    def expect_index_key(self, key_id: str) -> None:
        """From now on no connection is opened to a database that stands under another index key: this process found
        its own to be right, and has not been asked since."""
        self._index_key_id = key_id

    async def close(self) -> None:
        await self._shared.close()
        await self._desk.close()

    async def _greet(self, connection: Connection) -> None:
        if not self._index_key_id:
            return
        row = await connection.fetchrow(_INDEX_KEY)
        if row is None or row["key_id"] != self._index_key_id or row["former_ids"]:
            connection.terminate()
            log.error(_OTHER_KEY)
            raise ConnectionError(_OTHER_KEY)


async def _say_service(borrowed: Connection) -> None:
    """For the next borrower. A connection that cannot be told so any more is not lent again."""
    try:
        await borrowed.fetchval(_SAY, SERVICE, False)
    except BaseException:
        # One that is lost has left the pool by itself, and is not to be spoken of any more.
        with suppress(asyncpg.InterfaceError):
            borrowed.terminate()
        raise


async def fetch_anybodys(connection: Connection, statement: str, *given: object) -> Mapping[str, Any] | None:
    """The row of a statement that must look across citizens, in a transaction that one of them asked for."""
    who = asks.get()
    if who != SERVICE:
        await connection.fetchval(_SAY, SERVICE, True)
    row: Mapping[str, Any] | None = await connection.fetchrow(statement, *given)
    if who != SERVICE:
        await connection.fetchval(_SAY, who, True)
    return row


def driver_of(borrowed: PoolProxiedConnection) -> Connection:
    """The asyncpg connection under a pool's."""
    connection: Connection | None = borrowed.driver_connection
    if connection is None:
        raise ConnectionError("the connection was closed under us")
    return connection


def sqlalchemy_url(url: str) -> str:
    """A postgresql:// address as SQLAlchemy's asyncpg dialect wants it, password kept."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def driver_url(url: str) -> str:
    """The same address as asyncpg itself wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def utc_now() -> datetime:
    return datetime.now(UTC)

"""Connections to PostgreSQL that are kept open: the ORM's, and the driver's own beside them for hot statements."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import asyncpg
import msgspec
from sqlalchemy import AdaptedConnection, AsyncAdaptedQueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.lending import Lender

POOL_TIMEOUT_S = 2
Greet: TypeAlias = Callable[["asyncpg.Connection[Any]"], Awaitable[None]]


class Addresses(msgspec.Struct, frozen=True):
    """The same address, as each wants it."""

    orm: str
    driver: str


class Pools:
    """At most `size` of either; none is opened before somebody wants one. `greet` is given each new connection before
    anybody else is, and ends and refuses one by raising ConnectionError."""

    def __init__(self, addresses: Addresses, size: int, settings: Mapping[str, Any], greet: Greet) -> None:
        self._url, self._size, self._settings, self._greet = addresses.driver, size, settings, greet
        self._engine: AsyncEngine = create_async_engine(
            addresses.orm,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_recycle=1800,
            # An error tells its statement in the log, and never what was given for its places: names, words, addresses.
            hide_parameters=True,
            connect_args=settings,
        )
        event.listen(self._engine.sync_engine, "connect", self._greet_orms)
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(self._engine, expire_on_commit=False)
        self._lender: Lender | None = None
        self._opening = asyncio.Lock()

    @property
    def has_no_session(self) -> bool:
        """Whether who wants one now has to wait."""
        pool = self._engine.pool
        return isinstance(pool, AsyncAdaptedQueuePool) and pool.checkedout() >= self._size

    @property
    def has_no_driver(self) -> bool:
        return self._lender is not None and self._lender.has_none

    async def lender(self) -> Lender:
        """The driver's, opened now where nobody did before."""
        return self._lender or await self._opened()

    async def close(self) -> None:
        await self._engine.dispose()
        if self._lender is not None:
            await self._lender.close()

    async def _opened(self) -> Lender:
        async with self._opening:
            if self._lender is None:
                pool = await asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=self._size,
                    init=self._init,
                    reset=_keep,
                    **self._settings,
                )
                self._lender = Lender(pool, self._size, POOL_TIMEOUT_S)
        return self._lender

    async def _init(self, connection: "asyncpg.Connection[Any]") -> None:
        """jsonb is written as text and read as what it holds, as SQLAlchemy's dialect has it on its own connections."""
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)
        await self._greet(connection)

    def _greet_orms(self, adapted: AdaptedConnection, _: object) -> None:
        adapted.run_async(self._greet)


async def _keep(_: "asyncpg.Connection[Any]") -> None:
    """Between two borrowers nothing is reset: single statements and closed transactions leave nothing behind."""

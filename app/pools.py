"""Connections to PostgreSQL that are kept open: the ORM's, and the driver's own beside them for hot statements."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.lending import Lender

POOL_TIMEOUT_S = 2


class Pools:
    """At most `size` of either; none is opened before somebody wants one. `orm_url` and `driver_url`: the same address,
    as each wants it."""

    def __init__(self, orm_url: str, driver_url: str, size: int, settings: Mapping[str, Any]) -> None:
        self._url, self._size, self._settings = driver_url, size, settings
        self._engine: AsyncEngine = create_async_engine(
            orm_url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_recycle=1800,
            # An error tells its statement in the log, and never what was given for its places: names, words, addresses.
            hide_parameters=True,
            connect_args=settings,
        )
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
                    init=_read_json,
                    reset=_keep,
                    **self._settings,
                )
                self._lender = Lender(pool, self._size, POOL_TIMEOUT_S)
        return self._lender


async def _read_json(connection: "asyncpg.Connection[Any]") -> None:
    """jsonb is written as text and read as what it holds, as SQLAlchemy's dialect has it on its own connections."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)


async def _keep(_: "asyncpg.Connection[Any]") -> None:
    """Between two borrowers nothing is reset: single statements and closed transactions leave nothing behind."""

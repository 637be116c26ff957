"""Connections to PostgreSQL that are kept open: the ORM's, and the driver's own beside them for hot statements."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

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
            connect_args=settings,
        )
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(self._engine, expire_on_commit=False)
        self._drivers: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @property
    def has_no_session(self) -> bool:
        """Whether who wants one now has to wait."""
        pool = self._engine.pool
        return isinstance(pool, AsyncAdaptedQueuePool) and pool.checkedout() >= self._size

    @property
    def has_no_driver(self) -> bool:
        pool = self._drivers
        return pool is not None and pool.get_idle_size() == 0 and pool.get_size() >= self._size

    async def drivers(self) -> asyncpg.Pool:
        if self._drivers is None:
            async with self._opening:
                if self._drivers is None:
                    self._drivers = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=self._size,
                        init=_read_json,
                        reset=_keep,
                        **self._settings,
                    )
        return self._drivers

    async def close(self) -> None:
        await self._engine.dispose()
        if self._drivers is not None:
            await self._drivers.close()


async def _read_json(connection: "asyncpg.Connection[Any]") -> None:
    """jsonb is written as text and read as what it holds, as SQLAlchemy's dialect has it on its own connections."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)


async def _keep(_: "asyncpg.Connection[Any]") -> None:
    """Between two borrowers nothing is reset: single statements and closed transactions leave nothing behind."""

"""The engine, the declarative base and short transactions. Nobody commits by hand; nobody holds one over a call out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, MetaData, PoolProxiedConnection
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import Uuid

if TYPE_CHECKING:
    # Generic in the stubs alone.
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection

STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 3_000
IDLE_IN_TRANSACTION_MS = 15_000


class Base(DeclarativeBase):
    """Every table of the product. Migrations find each models.py as app.main does."""

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
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=2,
            pool_recycle=1800,
            connect_args={
                "timeout": 5,
                "server_settings": {
                    "application_name": f"loket-{name}",
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                    "timezone": "UTC",
                },
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or rolled back by any exception."""
        async with self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A driver connection outside any transaction, for the hottest single statements: each commits by itself."""
        async with self.engine.connect() as borrowed:
            yield driver_of(await borrowed.get_raw_connection())

    async def close(self) -> None:
        await self.engine.dispose()


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

"""Alembic's environment: on the connection app.migrate hands over, or on the settings' address when run by hand."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database import Base, sqlalchemy_url
from app.settings import settings
from app.tables import import_models


def ours(_: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:  # noqa: FBT001 -- alembic's
    """Autogenerate leaves alone what stands in the database and is no model of ours (pgqueuer's tables)."""
    return not (kind == "table" and reflected and compare_to is None and (name or "").startswith("pgqueuer"))


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_hand() -> None:
    engine = create_async_engine(
        sqlalchemy_url(settings().migration_database_url or settings().database_url), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


import_models()
given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_by_hand())

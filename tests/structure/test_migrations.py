"""Migrations: one line of them, and what they build is what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import Base, sqlalchemy_url
from app.migrate import alembic_config, upgrade
from app.tables import import_models


async def test_one_head_and_no_gap(postgres_url: str) -> None:
    engine = create_async_engine(sqlalchemy_url(postgres_url))
    async with engine.connect() as connection:
        heads = await connection.run_sync(lambda sync: ScriptDirectory.from_config(alembic_config(sync)).get_heads())
    await engine.dispose()
    assert len(heads) == 1


async def test_models_and_migrations_say_the_same(postgres_url: str) -> None:
    import_models()
    engine = create_async_engine(sqlalchemy_url(postgres_url))
    async with engine.connect() as connection:
        differences = await connection.run_sync(differing)
    await engine.dispose()
    assert differences == []


async def test_upgrading_again_changes_nothing(postgres_url: str) -> None:
    await upgrade(postgres_url)
    await upgrade(postgres_url)


def differing(connection: Connection) -> list[object]:
    """What autogenerate would still write, tables of the job engine left out."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found: list[object] = compare_metadata(context, Base.metadata)
    return [change for change in found if "pgqueuer" not in repr(change)]

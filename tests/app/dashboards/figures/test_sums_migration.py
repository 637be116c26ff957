"""Figures that were counted before there were sums: the migration sums them up."""

import importlib.util
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.dashboards.figures.counting import Counting
from app.database import sqlalchemy_url
from app.settings import ROOT, Settings
from tests.app.dashboards.figures.recount import counted, recounted, with_sums


async def test_the_sums_of_what_was_counted_before(owner: Any, counting: Counting, settings: Settings) -> None:
    await counting.run()
    await owner.execute("DELETE FROM figure_cells WHERE service = ''")
    engine = create_async_engine(sqlalchemy_url(settings.migration_database_url))
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()
    assert await counted(owner) == with_sums(await recounted(owner))


def migrate(connection: Connection) -> None:
    """The migration by itself, on a database that is whole but for what it adds."""
    path = ROOT / "migrations" / "versions" / "0031_sums.py"
    spec = importlib.util.spec_from_file_location("sums", path)
    assert spec is not None
    assert spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with Operations.context(MigrationContext.configure(connection)):
        migration.upgrade()

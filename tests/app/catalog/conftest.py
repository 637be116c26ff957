"""A database with the catalogue's tables, and the catalogue of Kediri in it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from app.catalog.catalog import Catalog
from app.catalog.models import BackendHealth, CatalogEntry, CatalogWord
from app.catalog.sync import sync
from app.database import Base, Database
from tests.harness.servers import Servers

TABLES = [Base.metadata.tables[model.__tablename__] for model in (CatalogEntry, CatalogWord, BackendHealth)]


@pytest.fixture(scope="session")
def kediri() -> Catalog:
    return Catalog.load("kediri")


@pytest.fixture(scope="module")
def catalogue_url(servers: Servers) -> Iterator[str]:
    url = servers.create_database(template="template0")
    yield url
    servers.drop_database(url)


@pytest.fixture(scope="module")
async def database(catalogue_url: str, kediri: Catalog) -> AsyncIterator[Database]:
    opened = Database(catalogue_url, pool_size=4, name="test")
    async with opened.transaction() as session:
        await session.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        connection = await session.connection()
        await connection.run_sync(lambda sync_connection: Base.metadata.create_all(sync_connection, tables=TABLES))
    async with opened.transaction() as session:
        await sync(session, kediri)
    yield opened
    await opened.close()

"""The catalogue of Kediri, and a migrated database in which search knows it."""

from collections.abc import AsyncIterator

import pytest

from app.catalog.catalog import Catalog
from app.catalog.sync import sync
from app.database import Database


@pytest.fixture(scope="session")
def kediri() -> Catalog:
    return Catalog.load("kediri")


@pytest.fixture(scope="module")
async def database(postgres_url: str, kediri: Catalog) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=4, name="test")
    async with opened.transaction() as session:
        await sync(session, kediri)
    yield opened
    await opened.close()

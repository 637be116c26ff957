"""A migrated database with a pool of a test's own."""

from collections.abc import AsyncIterator

import pytest

from app.database import Database


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=4, name="test")
    yield opened
    await opened.close()

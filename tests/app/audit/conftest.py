"""A database for tests of the audit."""

from collections.abc import AsyncIterator

import pytest

from app.database import Database


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=12, name="test")
    yield opened
    await opened.close()

"""A small past, written once for all tests of it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.database import driver_url
from app.demo import seed as make_people
from app.history.seeding import Past, write_history
from app.settings import Settings, read_settings

CASES = 1500


@pytest.fixture(scope="module")
def settings(environment: dict[str, str]) -> Settings:
    return read_settings(environment)


@pytest.fixture(scope="module")
async def past(settings: Settings) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The owner's connection to a database with a past."""
    said: list[str] = []
    assert await make_people(settings) > 0
    assert await write_history(settings, Past(CASES), said.append) == CASES
    assert any("cases" in words for words in said)
    connection = await asyncpg.connect(driver_url(settings.migration_database_url))
    yield connection
    await connection.close()

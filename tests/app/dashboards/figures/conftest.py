"""A past to count, and a connection that sees all of it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.catalog.catalog import Catalog
from app.dashboards.figures.counting import Counting
from app.database import Database, driver_url
from app.history.seeding import Past, write_history
from app.settings import Settings, read_settings

CASES = 1200


@pytest.fixture(scope="module")
def settings(environment: dict[str, str]) -> Settings:
    return read_settings(environment)


@pytest.fixture(scope="module")
async def owner(settings: Settings) -> AsyncIterator[Any]:
    """The owner's connection to a database with a past."""
    await write_history(settings, Past(CASES, seed=7), lambda _: None)
    connection = await asyncpg.connect(driver_url(settings.migration_database_url))
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def counting(owner: Any, settings: Settings) -> AsyncIterator[Counting]:
    """As the worker counts, by the role that serves."""
    database = Database(settings.database_url, pool_size=3, name="test")
    yield Counting(database, Catalog.load(settings.city))
    await database.close()

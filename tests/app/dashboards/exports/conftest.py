"""A past to export, the worker's side of it, and officers who ask."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.assembly import Product, build
from app.dashboards.exports.making import Maker
from app.database import driver_url
from app.history.seeding import Past, write_history
from app.settings import Settings, read_settings

CASES = 1000


@pytest.fixture(scope="module")
def settings(environment: dict[str, str]) -> Settings:
    return read_settings(environment)


@pytest.fixture(scope="module")
async def owner(settings: Settings) -> AsyncIterator[Any]:
    """The owner's connection to a database with a past, which is counted."""
    await write_history(settings, Past(CASES, seed=5), lambda _: None)
    connection = await asyncpg.connect(driver_url(settings.migration_database_url))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def product(settings: Settings, owner: Any) -> AsyncIterator[Product]:
    assert owner
    made = build(settings, "test")
    yield made
    await made.close()


@pytest.fixture
def maker(product: Product, tmp_path: Path) -> Callable[..., Maker]:
    """A worker's maker of exports; `batch`: how many rows a part has."""
    return lambda batch=100: Maker(product.cases, tmp_path, batch)

"""What tests of faults look at and who they work with, beside the fixtures of every test."""

from collections.abc import AsyncIterator

import pytest

from app.assembly import Product, build
from tests.app.conftest import journey
from tests.harness.product import Api
from tests.harness.tables import Tables

__all__ = ["journey", "product", "tables"]


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    """The product's parts in this process, for what a test does in a worker's place."""
    built = build(api.settings, "test")
    yield built
    await built.close()

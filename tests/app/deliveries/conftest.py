"""What tests of the desk work with: officers, the tables, and a delivery in any state."""

from collections.abc import AsyncIterator

import pytest

from app.assembly import Product, build
from tests.harness.product import Api
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    built = build(api.settings, "test")
    yield built
    await built.close()

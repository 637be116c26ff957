"""What these tests look at beside the API: the tables themselves."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.tables import Tables


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        yield opened

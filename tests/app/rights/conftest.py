"""What these tests share: the product's keys, its tables from outside, and following a request to its end."""

from collections.abc import AsyncIterator

import pytest

from app.privacy import Vault, open_vault
from app.settings import read_settings
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With limits, whose counters are stored too; and nobody waits for a deletion."""
    environment |= {"LOKET_LIMITS": "strict", "LOKET_DELETION_WAIT_H": "0"}
    return environment


@pytest.fixture(scope="module")
def vault(environment: dict[str, str]) -> Vault:
    return open_vault(read_settings(environment))


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        yield opened

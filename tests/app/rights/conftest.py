"""What these tests share: the product's keys, and following a request to its end."""

import pytest

from app.privacy import Vault, open_vault
from app.settings import read_settings


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With limits, whose counters are stored too; and nobody waits for a deletion."""
    environment |= {"LOKET_LIMITS": "strict", "LOKET_DELETION_WAIT_H": "0"}
    return environment


@pytest.fixture(scope="module")
def vault(environment: dict[str, str]) -> Vault:
    return open_vault(read_settings(environment))

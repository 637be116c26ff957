"""What tests of several folders of app use: a way through login."""

from collections.abc import AsyncIterator

import pytest

from app.database import Database
from app.privacy import open_vault
from tests.app.login.journey import Journey
from tests.harness.product import Api


@pytest.fixture(scope="module")
async def journey(api: Api) -> AsyncIterator[Journey]:
    database = Database(api.settings.database_url, pool_size=5, name="test")
    yield Journey(api, database, open_vault(api.settings))
    await database.close()

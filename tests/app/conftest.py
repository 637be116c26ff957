"""What tests of several folders of app use: a way through login."""

from collections.abc import AsyncIterator

import pytest

from app.database import Database
from app.login import registrations
from app.login.proof import Patience
from app.privacy import open_vault
from tests.app.login.journey import Journey
from tests.harness.product import Api

# How long the register is waited for while somebody registers; its operation's own budget is less.
REGISTER_S = 30.0


@pytest.fixture(scope="module")
async def journey(api: Api) -> AsyncIterator[Journey]:
    database = Database(api.settings.database_url, pool_size=5, name="test")
    with pytest.MonkeyPatch.context() as patch:
        # The API is a thread here: that a loaded machine's register answers late must not make it another test.
        patch.setattr(registrations, "NOW", Patience(REGISTER_S, 1.0))
        yield Journey(api, database, open_vault(api.settings))
    await database.close()

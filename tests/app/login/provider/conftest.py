"""An application of an agency, and a citizen's browser."""

from collections.abc import AsyncIterator

import pytest

from tests.app.login.journey import Journey
from tests.harness.product import Api
from tests.harness.provider import Registered, Visitor, register


@pytest.fixture(scope="module")
async def client(api: Api) -> Registered:
    return await register(api, "portal")


@pytest.fixture
async def visitor(api: Api, journey: Journey) -> AsyncIterator[Visitor]:
    """A browser nobody has logged in at yet."""
    opened = Visitor(api, journey)
    yield opened
    await opened.close()

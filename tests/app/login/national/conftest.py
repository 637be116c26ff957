"""The API beside INApas's sandbox, and an app on a citizen's phone that waits for the end of a login."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.harness.national import Phone
from tests.harness.product import Api, Sandboxes

APP = "https://app.example.go.id/login"


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With an app of a city of its own."""
    environment["LOKET_LOGIN_REDIRECTS"] = f"satuloket://login, {APP}"
    return environment


@pytest.fixture
async def phone(api: Api, sandboxes: Sandboxes) -> AsyncIterator[Phone]:
    async with httpx.AsyncClient(timeout=30) as browser:
        yield Phone(api, sandboxes.url("inapas"), browser)

"""OpenID libraries of another language, unmodified: openid-client logs in with us.

Their npm packages are fetched, so this is not part of `make test` but of `make test-clients`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.assembly import build
from tests.app.login.journey import Journey
from tests.harness.npm import installed
from tests.harness.people import Citizen
from tests.harness.product import Api
from tests.harness.provider import Visitor, register

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place() -> Path:
    return installed("openid")


@pytest.fixture(scope="module")
async def journey(api: Api) -> AsyncIterator[Journey]:
    product = build(api.settings, "test")
    yield Journey(api, product.database, product.vault)
    await product.close()


class Script:
    """A program of Node.js that speaks in lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> dict[str, Any]:
        """Its next line. Raises AssertionError with what it complains of where none comes."""
        assert self._process.stdout
        assert self._process.stderr
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert line, (await self._process.stderr.read()).decode()
        return dict(json.loads(line))

    async def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def script(place: Path, *arguments: str) -> AsyncIterator[Script]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("node", *arguments, cwd=place, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_openid_client_logs_in_refreshes_reads_and_logs_out(
    place: Path, api: Api, journey: Journey, citizen: Citizen
) -> None:
    ours = await register(api, "portal")
    visitor = Visitor(api, journey)
    arguments = (api.url, ours.id, ours.secret, ours.callback, ours.after_logout)
    async with script(place, "client.js", *arguments) as library:
        page = await visitor.log_in(await visitor.http.get((await library.hear())["go"]), citizen)
        await library.tell((await visitor.send(page, "allow")).headers["location"])
        await library.tell((await visitor.http.get((await library.hear())["go"])).headers["location"])
        told = await library.hear()
    await visitor.close()
    assert told == {
        "name": citizen.person.name,
        "same": True,
        "rotated": True,
        "active": [True, False],
        "back": True,
        "refused": "invalid_grant",
    }

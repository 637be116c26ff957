"""F23: an ended session stays ended on every process within seconds, with Valkey killed, flushed or started anew."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from app import processes
from app.embedded import EmbeddedValkey
from app.settings import read_settings
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, free_port

# Three processes are started here.
pytestmark = pytest.mark.timeout(300)

BOUND_S = 5.0
SLOW_MACHINE_S = 30.0
Start = Callable[..., Running]


class OwnValkey:
    """A Valkey of this module's own, so that nobody else's is killed."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedValkey(folder / "valkey")
        self._log = folder / "valkey.log"
        self._server.prepare()
        self.start()

    @property
    def url(self) -> str:
        return self._server.url()

    def start(self) -> None:
        self._process = processes.start(self._server.program(self._log))
        assert processes.wait_until(self._server.is_ready, self._process, SLOW_MACHINE_S), self._log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def flush(self) -> None:
        client = Redis.from_url(self.url)
        await client.flushall()
        await client.aclose()


@pytest.fixture(scope="module")
def valkey() -> Iterator[OwnValkey]:
    folder = Path(tempfile.mkdtemp(prefix="loket-f23-"))
    own = OwnValkey(folder)
    yield own
    own.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def valkey_url(valkey: OwnValkey) -> str:
    return valkey.url


class Pair(msgspec.Struct, frozen=True):
    """Two API processes of one product, and a third where one was started anew."""

    start: Callable[[], Api]
    first: Api
    second: Api


@pytest.fixture(scope="module")
def pair(environment: dict[str, str], start_process: Start) -> Pair:
    def start() -> Api:
        # One address for all, as behind a proxy: a token of one is good at the other.
        changed = {"LOKET_PORT": str(free_port()), "LOKET_PUBLIC_URL": "http://loket.example"}
        start_process("serve", **changed).wait_for("Uvicorn running", SLOW_MACHINE_S)
        api = Api(read_settings({**environment, **changed}))
        api.url = f"http://127.0.0.1:{changed['LOKET_PORT']}"
        return api

    return Pair(start, start(), start())


@pytest.fixture(scope="module")
async def people(pair: Pair) -> AsyncIterator[People]:
    async with People(pair.first) as made:
        yield made


async def test_over_valkey(pair: Pair, people: People) -> None:
    citizen = await people.make()
    await _both_admit(pair, citizen)
    await _end(pair.first, citizen)
    await _refused_in_time(pair, citizen)


async def test_valkey_killed_before_the_end(pair: Pair, people: People, valkey: OwnValkey) -> None:
    citizen = await people.make()
    await _both_admit(pair, citizen)
    valkey.kill()
    await _end(pair.first, citizen)
    await _refused_in_time(pair, citizen)
    valkey.start()
    await _stays_refused(pair, citizen)


async def test_valkey_flushed_and_killed_after_the_end(pair: Pair, people: People, valkey: OwnValkey) -> None:
    citizen = await people.make()
    await _both_admit(pair, citizen)
    await _end(pair.second, citizen)
    await valkey.flush()
    await _refused_in_time(pair, citizen)
    valkey.kill()
    await _stays_refused(pair, citizen)
    valkey.start()
    await valkey.flush()
    await _stays_refused(pair, citizen)


async def test_process_started_anew(pair: Pair, people: People, valkey: OwnValkey) -> None:
    """It was not there to hear, and there is nobody left to ask."""
    citizen = await people.make()
    await _end(pair.first, citizen)
    valkey.kill()
    third = pair.start()
    valkey.start()
    assert await _me(third, citizen) == (401, "session_revoked")
    assert await _me(third, await people.make()) == (200, "")


async def _both_admit(pair: Pair, citizen: Citizen) -> None:
    """Both have seen the token, so both have it among those they need not verify again."""
    for api in (pair.first, pair.second):
        assert await _me(api, citizen) == (200, "")


async def _end(api: Api, citizen: Citizen) -> None:
    async with api.client(token=citizen.token) as client:
        assert (await client.delete("/v1/me/sessions")).status_code == 204


async def _refused_in_time(pair: Pair, citizen: Citizen) -> None:
    ended = time.monotonic()
    for api in (pair.first, pair.second):
        while await _me(api, citizen) != (401, "session_revoked"):
            assert time.monotonic() - ended < BOUND_S, api.url
            await asyncio.sleep(0.05)


async def _stays_refused(pair: Pair, citizen: Citizen) -> None:
    for _ in range(20):
        for api in (pair.first, pair.second):
            assert await _me(api, citizen) == (401, "session_revoked")
        await asyncio.sleep(0.05)


async def _me(api: Api, citizen: Citizen) -> tuple[int, str]:
    async with api.client(token=citizen.token) as client:
        answer: httpx.Response = await client.get("/v1/me")
    return answer.status_code, answer.json().get("code", "")

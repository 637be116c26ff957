"""F33: after an outage ten times as many as can be served come at once: most are refused at once, the rest served."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import aiohttp
import pytest

from app.shedding import MOST_WAITING
from tests.harness.figures import Tell
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, free_port

ALONE, HERD, SECONDS = 32, 640, 5.0
GOODPUT = 0.9
# The machine runs the herd too, and in CI other tests beside it: who found a place is served, whatever the rate.
PLACES = MOST_WAITING
LATEST_S = 20.0


class Crowd:
    """Clients who ask again at once when served, and when they are told when refused."""

    def __init__(self, url: str, citizens: list[Citizen]) -> None:
        self._url = url
        self._citizens = citizens
        self.statuses: Counter[int] = Counter()
        self.refused_s: list[float] = []

    async def ask(self, clients: int, seconds: float) -> float:
        """How many were served a second."""
        self.statuses.clear()
        until = time.monotonic() + seconds
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(self._url, connector=connector) as session, asyncio.TaskGroup() as group:
            for number in range(clients):
                citizen = self._citizens[number % len(self._citizens)]
                group.create_task(self._one(session, citizen.token, until))
        return self.statuses[200] / seconds

    async def _one(self, session: aiohttp.ClientSession, token: str, until: float) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        while time.monotonic() < until:
            begun = time.monotonic()
            async with session.get("/v1/cases", headers=headers) as answer:
                await answer.read()
            self.statuses[answer.status] += 1
            if answer.status != 200:
                self.refused_s.append(time.monotonic() - begun)
                await asyncio.sleep(min(float(answer.headers["Retry-After"]), max(0.0, until - time.monotonic())))


@pytest.fixture(scope="module")
def url(api: Api, start_process: Callable[..., Running]) -> str:
    port = free_port()
    start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url).wait_for("Uvicorn running")
    return f"http://127.0.0.1:{port}"


@pytest.mark.timeout(180)
async def test_a_herd_is_refused_at_once_and_as_many_as_ever_are_served(people: People, url: str, tell: Tell) -> None:
    crowd = Crowd(url, [await people.make() for _ in range(10)])
    await crowd.ask(ALONE, 1.0)
    ceiling = await crowd.ask(ALONE, SECONDS)
    assert set(crowd.statuses) == {200}
    served = await crowd.ask(HERD, SECONDS)
    refused = crowd.statuses[503]
    tell(
        f"F33: {HERD} clients at once: {served / ceiling:.0%} of the goodput of {ALONE} ({ceiling:.0f}/s), {refused} "
        f"refused, the slowest after {max(crowd.refused_s, default=0):.1f} s; asked {GOODPUT:.0%}"
    )
    assert set(crowd.statuses) <= {200, 503}
    assert refused, "nobody was refused: this was no herd"
    assert served * SECONDS >= PLACES / 2
    assert max(crowd.refused_s) < LATEST_S
    # And once it is over, nobody is refused any more.
    await crowd.ask(ALONE, 1.0)
    assert set(crowd.statuses) == {200}

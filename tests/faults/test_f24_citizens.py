"""F24, for citizens: with a Valkey that is slow or hangs their requests are answered as before, one budget later."""

import asyncio
import functools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from tests.harness.fault_proxy import FaultProxy, Mode, fault_proxy
from tests.harness.figures import Tell
from tests.harness.latencies import latencies_s, p99
from tests.harness.own_valkey import own_valkey
from tests.harness.people import People

# A session may ask 600 times a minute.
SECONDS, REFRESHES = 0.8, 20
ASKED_S = 0.06
MOST_TIMES = 5
# A machine that runs other tests beside is late with everything; without a budget it would be seconds.
MOST_S, LATE_S = 1.0, 0.05
PATHS = ("/v1/me", "/v1/cases")


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with own_valkey() as valkey, fault_proxy(valkey.socket) as between:
        yield between


@pytest.fixture(scope="module")
def valkey_url(proxy: FaultProxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}"


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    return environment


@pytest.mark.parametrize(("mode", "latency_s"), [("pass", 0.5), ("black_hole", 0.0), ("reset", 0.0)])
async def test_a_request_loses_one_budget(
    people: People, proxy: FaultProxy, tell: Tell, mode: Mode, latency_s: float
) -> None:
    citizen = await people.make()
    asking: dict[str, Callable[[], Awaitable[list[float]]]] = {
        **{f"GET {path}": functools.partial(latencies_s, citizen.client, path, SECONDS) for path in PATHS},
        "POST /v1/login/refresh": functools.partial(refused_s, citizen.client),
    }
    for what, ask in asking.items():
        more_s: list[float] = []
        # Once more where it was too much: a stall of the machine comes by chance, a budget that is missed always. How
        # often somebody may try to refresh has a limit.
        times = MOST_TIMES if what.startswith("GET") else 1
        while not more_s or (min(more_s) > ASKED_S and len(more_s) < times):
            before = await ask()
            await asyncio.to_thread(proxy.set, mode, latency_s=latency_s)
            try:
                during = await ask()
            finally:
                await asyncio.to_thread(proxy.heal)
            more_s.append(p99(during) - p99(before))
            assert more_s[-1] < MOST_S
            assert statistics.median(during) < statistics.median(before) + ASKED_S + LATE_S
        how = f"{latency_s} s slow" if latency_s else mode
        told = ", ".join(f"{each * 1000:+.0f}" for each in more_s)
        tell(f"F24: {what} with a Valkey that is {how}: p99 {told} ms; asked {ASKED_S * 1000:.0f} ms")
        assert min(more_s) <= (ASKED_S if times > 1 else MOST_S)


async def refused_s(client: httpx.AsyncClient) -> list[float]:
    """How long each of some refreshes took that come to nothing: their limits are counted in Valkey."""
    taken = []
    for number in range(REFRESHES):
        begun = time.monotonic()
        answer = await client.post("/v1/login/refresh", json={"refresh_token": f"nobody's {number}"})
        taken.append(time.monotonic() - begun)
        assert answer.status_code == 401, answer.text
    return taken

"""F33: after an outage many more than can be served come at once: most are refused at once, the rest served."""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence

import msgspec
import pytest

from app.shedding import MOST_WAITING
from tests.harness.figures import Tell
from tests.harness.herd import EACH_STANDS_FOR, Plan, Turn, Turns
from tests.harness.people import People
from tests.harness.product import Api, Running, free_port

FEW, HERD, SERVED = 32, 640, 1_000
# Short and in turn, so that what else the machine does falls upon both; and more of them where it does much.
PAIRS, ROUNDS, MOST_ROUNDS = 6, 2, 4
# On a quiet machine; and what is asked on any.
GOODPUT, LEAST = 0.9, 0.7
# While all of them are refused or find a place at the same time, which lasts a moment.
ARRIVING = 0.3
LATEST_S = 20.0


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(api: Api, port: int, start_process: Callable[..., Running]) -> Running:
    started = start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url)
    started.wait_for("Uvicorn running")
    return started


@pytest.mark.timeout(240)
async def test_a_herd_is_refused_at_once_and_as_many_as_ever_are_served(
    people: People, port: int, server: Running, tell: Tell
) -> None:
    tokens = [(await people.make()).token for _ in range(10)]
    plan = Plan(port, server.pid, tokens, few=FEW, many=HERD, served=SERVED, pairs=PAIRS)
    arrivals: list[Turn] = []
    few: list[Turn] = []
    herd: list[Turn] = []
    while len(arrivals) < ROUNDS or (goodput(herd, few) < GOODPUT and len(arrivals) < MOST_ROUNDS):
        turns = await taken(plan)
        arrivals.append(turns.arrival)
        few += turns.few
        herd += turns.many
    refused_s = statistics.median(turn.refused_s for turn in arrivals)
    served_s = statistics.median(turn.served_s for turn in arrivals)
    tell(
        f"F33: {HERD * EACH_STANDS_FOR} clients who come again when they are told: {goodput(herd, few):.0%} of the "
        f"goodput of {FEW} for each second of the server's own time, asked {GOODPUT:.0%} ({enough(few):.0%} as far as "
        f"it can be seen here); while {HERD} arrive at once {goodput(arrivals, few[::PAIRS]):.0%}, and then the middle "
        f"refused one waits {refused_s * 1000:.0f} ms, the middle served one {served_s * 1000:.0f} ms"
    )
    # Between two turns of the herd, nobody is refused any more.
    assert all(turn.statuses == {200: SERVED} for turn in few)
    for turn in arrivals + herd:
        assert set(turn.statuses) <= {200, 503}
        assert turn.statuses[200] > SERVED / 2
        assert turn.untold == 0, "refused, and not told when to come again"
        assert turn.slowest_refusal_s < LATEST_S
    assert any(503 in turn.statuses for turn in herd), "nobody came again"
    refused = sum(turn.statuses.get(503, 0) for turn in arrivals)
    assert refused > (HERD - MOST_WAITING) / 2 * len(arrivals), "hardly anybody was refused: this was no herd"
    assert goodput(arrivals, few[::PAIRS]) >= ARRIVING
    assert goodput(herd, few) >= enough(few)


async def taken(plan: Plan) -> Turns:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.harness.herd", stdin=PIPE, stdout=PIPE)
    told, _ = await process.communicate(msgspec.json.encode(plan))
    return msgspec.json.decode(told, type=Turns)


def goodput(herd: Sequence[Turn], few: Sequence[Turn]) -> float:
    """How many are served for each second that the server works, refusing the others included, against how many it
    serves where nobody has to be refused: of all pairs the middle one. By the clock the clients, who work on the same
    processors, and whatever else runs there would be counted as the server's loss."""
    return statistics.median(one.worth / other.worth for one, other in zip(herd, few, strict=True))


def enough(few: Sequence[Turn]) -> float:
    """As far as the machine lets itself be measured: the same done several times costs as much less at best, as what
    runs beside takes caches and clock from whoever works."""
    low, _, high = statistics.quantiles((turn.worth for turn in few), n=4)
    return max(LEAST, GOODPUT * low / high)

"""F14: every process of PostgreSQL is killed in the middle of transactions: nothing lost or doubled, and soon back.

The kill storm itself, with workers and APIs killed too, is tests/chaos; here PostgreSQL alone dies again and again.
"""

import statistics
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.chaos.ground import Ground, Shape, standing
from tests.chaos.report import table
from tests.chaos.schedule import Action
from tests.chaos.storm import Plan, run_on
from tests.harness.figures import Tell

TIMES = 4
ASKED_S = 3.0
# A machine that others use as well takes longer; what was measured is printed.
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with standing(Shape(apis=1, workers=1)) as made:
        yield made


def test_the_api_is_back_soon_and_was_never_down_itself(ground: Ground, tell: Tell) -> None:
    serving, took_s = ground.pid("api-0"), []
    for _ in range(TIMES):
        ground.act(Action(0, "kill", "postgres"))
        took_s.append(back_after_s(ground))
    tell(f"F14: back {statistics.median(took_s):.1f} s after the kill, at most {max(took_s):.1f} s; asked {ASKED_S} s")
    assert ground.pid("api-0") == serving


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_by_it(ground: Ground) -> None:
    report = run_on(ground, Plan(cases=4000, seed=14, seconds=10, kills=("postgres",), shape=ground.shape))
    assert report.holds, table(report)
    assert report.misfortunes["kill postgres"] >= 2
    assert report.accepted > 20


def back_after_s(ground: Ground) -> float:
    """Until a statement is answered again, having been refused first."""
    begun, refused = time.monotonic(), False
    while time.monotonic() - begun < PATIENCE_S:
        answer = httpx.get(f"{ground.urls[0]}/readyz", timeout=PATIENCE_S)
        if answer.json()["parts"]["database"] == "ok" and refused:
            return time.monotonic() - begun
        refused = refused or answer.json()["parts"]["database"] == "down"
        time.sleep(0.02)
    raise AssertionError(f"not back after {PATIENCE_S} s")

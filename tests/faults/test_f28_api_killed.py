"""F28: API processes are killed with requests in flight; clients ask again under their key: nothing lost or doubled."""

import pytest

from tests.chaos.ground import Shape
from tests.chaos.report import table
from tests.chaos.storm import Plan, run
from tests.harness.figures import Tell

SECONDS = 12
KILL_EVERY_S = (1.0, 4.0)


# Twelve seconds of kills; then all is asked again, and every invariant: a minute where two other tests run.
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_when_apis_die(tell: Tell) -> None:
    shape = Shape(apis=2, workers=1)
    plan = Plan(cases=4000, seed=28, seconds=SECONDS, kills=("api-0", "api-1"), kill_every_s=KILL_EVERY_S, shape=shape)
    report = run(plan)
    kills, silent = report.misfortunes["kill api"], report.statuses.get(0, 0)
    tell(f"F28: {kills} kills of an API, {silent} requests unanswered, {report.accepted} accepted: 0 lost, 0 doubled")
    assert report.holds, table(report)
    assert kills >= 3
    assert silent, "no request was in flight: this showed nothing"
    assert report.accepted > 20

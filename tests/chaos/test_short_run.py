"""The storm in small: everything at once for some seconds, then every invariant. `make soak` is the same for long."""

import pytest

from tests.chaos.ground import Shape
from tests.chaos.report import table
from tests.chaos.storm import Plan, run
from tests.harness.figures import Tell

# More cases than are handed in within its seconds: it lasts them, and everybody is killed, and networks, the agency and
# a pause befall them too.
SEED = 100


@pytest.mark.timeout(600)
def test_every_invariant_holds_after_a_short_storm(tell: Tell) -> None:
    plan = Plan(cases=1500, seed=SEED, seconds=25, at_once=12, wild=True, replayed=200, shape=Shape(proxied=True))
    report = run(plan)
    tell(table(report))
    assert report.holds, table(report)
    # A storm in which nothing happened would hold too.
    assert report.accepted > 20
    assert sum(report.misfortunes.values()) >= 3

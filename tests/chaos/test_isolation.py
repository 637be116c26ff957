"""The short form of `make isolation`: with one agency of three hanging, the others answer everybody, hardly slower."""

from tests.chaos.isolation import measure

# The figure of 1.2 is for a machine of its own; here other tests run beside, and a phase is six seconds. Still below
# what the three seconds of the hanging agency's budget would make of everybody's time.
SLACK_MS = 2000


def test_the_others_hardly_notice() -> None:
    verdict = measure(seconds=6, per_second=50)
    assert verdict.well.answered == verdict.well.asked >= 190
    assert verdict.ill.answered == verdict.ill.asked, verdict.table()
    assert verdict.ill.p99_ms <= 1.2 * verdict.well.p99_ms + SLACK_MS, verdict.table()
    assert verdict.ill.hanging_slowest_s <= 6 + SLACK_MS / 1000

"""The short form of `make isolation`: with one agency of three hanging, the others answer everybody, hardly slower."""

from tests.chaos.isolation import measure

# Here other tests run beside, a phase is six seconds, and one pause of the machine is the slowest hundredth of a phase:
# so each phase is held against the other by what nine of ten waited. Were the others hurt, most of them would wait as
# long as the three seconds of the hanging agency's budget.
SLACK_MS = 2000
# The machine's own share of failures, which a phase may have more of than the other.
SLACK_SHARE = 0.02
# Without a budget a question to the hanging agency would never end.
ENDS_S = 25.0


def test_the_others_hardly_notice() -> None:
    verdict = measure(seconds=6, per_second=50)
    assert min(verdict.well.asked, verdict.ill.asked) >= 190
    assert verdict.ill.share >= verdict.well.share - SLACK_SHARE >= 0.9, verdict.table()
    assert verdict.ill.p90_ms <= 1.2 * verdict.well.p90_ms + SLACK_MS, verdict.table()
    assert verdict.ill.hanging_slowest_s <= ENDS_S, verdict.table()

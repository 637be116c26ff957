"""The table of `make bench-workers` divides the right figures, and marks one that is missed."""

from bench.workers import ASKED, table


def test_two_that_share_evenly_meet_the_goal_and_an_uneven_pair_misses_it() -> None:
    even = {(operation.key, count): [0.3 / count] for operation in ASKED for count in (1, 2)}
    assert table(even).count("2.00   at least 1.8: met") == len(ASKED)
    uneven = even | {("me", 2): [0.1, 0.2, 0.3]}
    assert table(uneven).count("1.50   at least 1.8: MISSED") == 1

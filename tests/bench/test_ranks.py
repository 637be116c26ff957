"""Two samples told apart where they are apart, and not where they are not."""

import random

import pytest

from bench.ranks import apart, auc


@pytest.mark.parametrize(
    ("first", "second", "area"),
    [
        ([1, 2, 3], [4, 5], 1.0),
        ([4, 5], [1, 2, 3], 0.0),
        ([1, 2], [1, 2], 0.5),
        ([1, 1, 1], [1], 0.5),
        ([1, 3], [2], 0.5),
        ([1, 2, 4], [3, 3], 2 / 3),
    ],
)
def test_the_area_by_hand(first: list[float], second: list[float], area: float) -> None:
    assert auc(first, second) == pytest.approx(area)


def test_a_shift_is_found_and_chance_is_not() -> None:
    chance = random.Random(7)
    first = [chance.gauss(0.010, 0.002) for _ in range(400)]
    alike = [chance.gauss(0.010, 0.002) for _ in range(400)]
    slower = [value + 0.002 for value in alike]
    told, not_told = apart(first, slower), apart(first, alike)
    assert told.low > 0.6
    assert told.gap_ms == pytest.approx(2, abs=0.5)
    assert not told.is_within(0.03, 1.0)
    assert not_told.low < 0.5 < not_told.high

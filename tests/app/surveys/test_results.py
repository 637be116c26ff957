"""The survey's arithmetic: the regulation's index and grades, Krejcie and Morgan's table."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.surveys.elements import COLUMNS
from app.surveys.results import grade_of, index_of, needed_of, result_of

# From the table that they published.
PUBLISHED = {10: 10, 15: 14, 20: 19, 50: 44, 100: 80, 200: 132, 500: 217, 1000: 278, 5000: 357, 10000: 370, 75000: 382}


def test_all_best_is_a_hundred_and_all_worst_twenty_five() -> None:
    best = result_of({column: {"4": 10} for column in COLUMNS}, 12)
    assert (best.index, best.index_of_4, best.grade, best.answers) == (100.0, 4.0, "A", 10)
    worst = result_of({column: {"1": 3} for column in COLUMNS}, 12)
    assert (worst.index, worst.grade, worst.enough) == (25.0, "D", False)


def test_each_element_weighs_one_ninth() -> None:
    counts = {column: {"3": 2} for column in COLUMNS} | {"u3": {"1": 1, "2": 1}}
    result = result_of(counts, 2)
    assert result.elements[2].average == 1.5
    assert result.elements[2].code == "U3"
    # Eight threes and one and a half, over nine, times 25.
    assert result.index == 70.83
    assert result.grade == "C"


def test_without_answers_there_is_no_index() -> None:
    result = result_of({}, 0)
    assert (result.index, result.grade, result.answers, result.needed) == (None, None, 0, 0)
    assert len(result.elements) == 9
    assert not result.enough, "nobody was asked, and nobody answered"


@pytest.mark.parametrize(
    ("index", "grade"),
    [("25.00", "D"), ("64.99", "D"), ("65.00", "C"), ("76.60", "C"), ("76.61", "B"), ("88.30", "B"), ("88.31", "A")],
)
def test_bands_have_no_gap(index: str, grade: str) -> None:
    assert grade_of(Decimal(index)) == grade


def test_the_published_sample_sizes() -> None:
    assert {population: needed_of(population) for population in PUBLISHED} == PUBLISHED


@given(st.lists(st.lists(st.integers(1, 4), min_size=9, max_size=9), min_size=1, max_size=40))
def test_the_index_is_the_plain_average_times_25(surveys: list[list[int]]) -> None:
    counts: dict[str, dict[str, int]] = {column: {} for column in COLUMNS}
    for answers in surveys:
        for column, answer in zip(COLUMNS, answers, strict=True):
            counts[column][str(answer)] = counts[column].get(str(answer), 0) + 1
    result = result_of(counts, len(surveys))
    plain = sum(sum(answers) for answers in surveys) / len(surveys) / 9 * 25
    assert result.index is not None
    assert index_of(counts) == (len(surveys), Decimal(str(result.index)))
    assert abs(result.index - plain) <= 0.005 + 1e-9
    assert result.enough

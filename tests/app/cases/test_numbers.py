"""Case numbers: read aloud, written down wrongly, and found out."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cases.numbers import as_case_number, case_number, check_digit, is_case_number

RUNNING = st.integers(min_value=1, max_value=99_999_999)


def digits_of(number: str) -> str:
    return number.replace("-", "")


def test_a_number_is_region_year_running_number_and_check_digit() -> None:
    number = case_number("35.71", date(2026, 3, 1), 123)
    assert number[:-1] == "3571-26-0000123-"
    assert is_case_number(number)


@given(RUNNING)
def test_a_number_of_ours_holds(running: int) -> None:
    number = case_number("35.76", date(2027, 1, 1), running)
    assert is_case_number(number)
    assert is_case_number(digits_of(number))


@given(RUNNING)
def test_every_single_wrong_digit_is_found(running: int) -> None:
    digits = digits_of(case_number("33.76", date(2026, 12, 31), running))
    for place, right in enumerate(digits):
        for wrong in "0123456789".replace(right, ""):
            assert not is_case_number(digits[:place] + wrong + digits[place + 1 :])


@given(RUNNING)
def test_every_swap_of_neighbours_is_found(running: int) -> None:
    digits = digits_of(case_number("35.71", date(2026, 12, 31), running))
    for place in range(len(digits) - 1):
        one, other = digits[place], digits[place + 1]
        if one != other:
            assert not is_case_number(digits[:place] + other + one + digits[place + 2 :])


@given(RUNNING, RUNNING)
def test_no_two_cases_share_a_number(one: int, other: int) -> None:
    numbers = {case_number("35.71", date(2026, 1, 1), running) for running in (one, other)}
    assert len(numbers) == len({one, other})


@pytest.mark.parametrize("text", ["", "-", "3571-26", "abc", "3571-26-000012a-4", "٣٥٧١", "3571-26-0000123-4\n"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert not is_case_number(text)


def test_the_check_digit_is_damms() -> None:
    # The worked example of the algorithm's own thesis.
    assert check_digit("572") == 4


@pytest.mark.parametrize("typed", ["3571-26-0000123-4", " 3571 26 0000123 4", "35712600001234", "3571.26.0000123.4"])
def test_a_number_is_read_as_people_type_it(typed: str) -> None:
    assert as_case_number(typed) == "3571-26-0000123-4"


@pytest.mark.parametrize("typed", ["", "3571024505909001", "Siti", "0001301201112026", "3571-26-123-4"])
def test_what_has_another_shape_is_no_number(typed: str) -> None:
    assert as_case_number(typed) == ""

"""When a case is due: working days of the joint decree on holidays, and weekdays alone where there is none yet."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from lokal.holidays import is_working_day

from app.cases.due import due_on

FRIDAY = date(2026, 6, 5)


def test_weekends_do_not_count() -> None:
    assert due_on(FRIDAY, 1) == date(2026, 6, 8)


def test_holidays_do_not_count() -> None:
    # 17 August 2026 is a Monday: from the Friday before, the first working day is Tuesday.
    assert due_on(date(2026, 8, 14), 1) == date(2026, 8, 18)


@given(st.dates(date(2026, 1, 1), date(2026, 11, 20)), st.integers(1, 20))
def test_it_is_the_last_of_so_many_working_days(start: date, days: int) -> None:
    end = due_on(start, days)
    between = [start + timedelta(days=count) for count in range(1, (end - start).days + 1)]
    assert sum(is_working_day(day) for day in between) == days
    assert is_working_day(end)


@given(st.dates(date(2035, 1, 1), date(2060, 1, 1)), st.integers(1, 60))
def test_a_year_without_a_decree_counts_weekdays(start: date, days: int) -> None:
    end = due_on(start, days)
    between = [start + timedelta(days=count) for count in range(1, (end - start).days + 1)]
    assert sum(day.weekday() < 5 for day in between) == days
    assert end.weekday() < 5


def test_a_period_that_runs_into_a_year_without_a_decree_still_has_an_end() -> None:
    assert due_on(date(2034, 12, 28), 14) > date(2035, 1, 1)

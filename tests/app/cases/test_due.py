"""When a case is due: working days of the joint decrees on holidays, and weekdays alone where there is none yet."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lokal.holidays import HOLIDAY_YEARS, get_holidays, is_working_day

from app import workdays
from app.cases.due import days_left, due_on
from app.workdays import working_days_after

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


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        # Idulfitri 1446: joint leave from 28 March to 7 April 2025, Nyepi among it.
        (date(2025, 3, 27), 1, date(2025, 4, 8)),
        # Christmas, New Year and Isra Mikraj, of two decrees.
        (date(2025, 12, 23), 3, date(2025, 12, 30)),
        (date(2025, 12, 31), 10, date(2026, 1, 15)),
        (date(2025, 12, 31), 11, date(2026, 1, 19)),
        # The day of the local elections, and the one added after the decree of its year.
        (date(2024, 11, 26), 1, date(2024, 11, 28)),
        (date(2025, 8, 15), 1, date(2025, 8, 19)),
    ],
)
def test_years_before_and_borders_of_years(start: date, days: int, end: date) -> None:
    assert due_on(start, days) == end
    assert days_left(start, end) == days
    assert days_left(end, start) == -days


def test_a_decree_still_counts_where_the_next_one_is_not_out() -> None:
    """From the last known decree's last weeks into a year without one: its holidays are not forgotten."""
    year = max(HOLIDAY_YEARS)
    off = sum(
        date.fromisoformat(each.date).weekday() < 5 for each in get_holidays(year).holidays if "-12-" in each.date
    )
    start, end = date(year, 11, 30), date(year + 1, 1, 15)
    end += timedelta(days=7 - end.weekday() if end.weekday() > 4 else 0)
    weekdays = sum((start + timedelta(days=each)).weekday() < 5 for each in range(1, (end - start).days + 1))
    assert off > 0
    assert working_days_after(start, end) == weekdays - off
    assert due_on(start, weekdays - off) == end


@pytest.mark.parametrize(("year", "weekdays_off"), [(2024, 24), (2025, 24), (2026, 21), (2027, 19)])
def test_a_years_days_off(year: int, weekdays_off: int) -> None:
    """27 days by the decrees of 2024 and 2025, five and four of them on weekends; two elections, one day added."""
    days = [date(year, 1, 1) + timedelta(days=each) for each in range(366)]
    assert sum(day.weekday() < 5 and workdays.is_holiday(day) for day in days if day.year == year) == weekdays_off


def test_what_was_decided_after_a_decree_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = workdays.Changes(closed=frozenset({date(2026, 3, 25)}), worked=frozenset({date(2026, 3, 24)}))
    monkeypatch.setattr(workdays, "CHANGES", moved)
    assert workdays.is_workday(date(2026, 3, 24))
    assert not workdays.is_workday(date(2026, 3, 25))
    assert not workdays.is_workday(date(2026, 3, 23))

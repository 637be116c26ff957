"""Counting working days in the city's calendar: weekends, and holidays by the joint decree where a year's is out."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

from lokal.holidays import is_working_day

_FIRST_YEAR = 2000


def working_days_after(start: date, end: date) -> int:
    """How many working days come after `start`, up to and with `end`; 0 where `end` is not later. What is promised for
    `app.cases.due.due_on(start, n)` takes at most n."""
    return max(0, _up_to(end) - _up_to(start))


def is_workday(day: date) -> bool:
    """As the joint decree has it; where that year's is not known, by weekday alone."""
    try:
        return is_working_day(day)
    except ValueError:
        return day.weekday() < 5


def _up_to(day: date) -> int:
    """How many there were since the first year, up to and with `day`."""
    return _before(day.year) + _within(day.year)[day.timetuple().tm_yday]


@lru_cache
def _before(year: int) -> int:
    return 0 if year <= _FIRST_YEAR else _before(year - 1) + _within(year - 1)[-1]


@lru_cache
def _within(year: int) -> Sequence[int]:
    """By the day's number in its year, with a 0 in front."""
    first = date(year, 1, 1)
    days = (date(year + 1, 1, 1) - first).days
    return [0, *accumulate(is_workday(first + timedelta(days=number)) for number in range(days))]

"""Working days in the city's calendar: weekends, holidays by the joint decrees, and what was decided after them."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import msgspec
from lokal.holidays import get_holidays

_FIRST_YEAR = 2000


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """holidays.toml."""

    closed: frozenset[date]
    worked: frozenset[date]


CHANGES = msgspec.toml.decode(Path(__file__).with_name("holidays.toml").read_bytes(), type=Changes)


def is_workday(day: date) -> bool:
    return day.weekday() < 5 and not is_holiday(day)


def is_holiday(day: date) -> bool:
    """A national holiday or joint leave. Of a year whose decree is not out no day is one, but for those told apart."""
    return day not in CHANGES.worked and (day in CHANGES.closed or day in _decreed(day.year))


def working_days_after(start: date, end: date) -> int:
    """How many working days come after `start`, up to and with `end`; 0 where `end` is not later. What is promised for
    `app.cases.due.due_on(start, n)` takes at most n."""
    return max(0, _up_to(end) - _up_to(start))


def after_working_days(start: date, days: int) -> date:
    """The last of so many working days after `start`; `start` itself for none."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        days -= is_workday(day)
    return day


@lru_cache
def _decreed(year: int) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(each.date) for each in get_holidays(year).holidays)
    except ValueError:
        return frozenset()


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

"""Weeks (ISO: from Monday) and months of the city's calendar, and the ones to compare them with."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

Grain = Literal["week", "month"]
GRAINS: Sequence[Grain] = ("week", "month")
WEEK = timedelta(days=7)
# The week that has the same number a year before, but for years of 53.
_YEAR_OF_WEEKS = 52 * WEEK


def start_of(day: date, grain: Grain) -> date:
    """The first day of the period that a day is in."""
    return day - timedelta(days=day.weekday()) if grain == "week" else day.replace(day=1)


def after(start: date, grain: Grain) -> date:
    """The first day of the next period."""
    return start + WEEK if grain == "week" else (start.replace(day=28) + timedelta(days=4)).replace(day=1)


def before(start: date, grain: Grain) -> date:
    """The first day of the period before."""
    return start - WEEK if grain == "week" else (start - timedelta(days=1)).replace(day=1)


def year_before(start: date, grain: Grain) -> date:
    """The first day of the same period a year before."""
    return start - _YEAR_OF_WEEKS if grain == "week" else start.replace(year=start.year - 1)


def last_of(start: date, grain: Grain) -> date:
    """The period's last day."""
    return after(start, grain) - timedelta(days=1)


def starts(last: date, grain: Grain, count: int) -> Sequence[date]:
    """The first days of so many periods, the newest last."""
    found = [last]
    while len(found) < count:
        found.append(before(found[-1], grain))
    return found[::-1]

"""When a case is due: the service standard's working days, counted in the city's own calendar."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from lokal.holidays import add_working_days, count_working_days

# A clock is near its end while no more than these working days are left.
SOON_DAYS = 2


def today(zone: ZoneInfo) -> date:
    return datetime.now(zone).date()


@lru_cache(maxsize=512)
def due_on(start: date, working_days: int) -> date:
    """The last of `working_days` after `start`, by the joint decree on holidays. Where next year's decree is not out
    yet, weekends alone count: the day may still move when it is."""
    try:
        return add_working_days(start, working_days)
    except ValueError:
        return _add_weekdays(start, working_days)


def soon_until(day: date) -> date:
    """What is due by then is nearly late."""
    return due_on(day, SOON_DAYS)


@lru_cache(maxsize=4096)
def days_left(day: date, due: date) -> int:
    """Working days from after `day` until `due`; negative once it is past."""
    if due < day:
        return -_working_days_after(due, day)
    return _working_days_after(day, due)


def _working_days_after(start: date, end: date) -> int:
    if start == end:
        return 0
    after = start + timedelta(days=1)
    try:
        return count_working_days(after, end)
    except ValueError:
        return sum((after + timedelta(days=each)).weekday() < 5 for each in range((end - after).days + 1))


def _add_weekdays(start: date, days: int) -> date:
    day = start
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day

"""When a case is due: the service standard's working days, counted in the city's own calendar."""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.workdays import after_working_days, working_days_after

# A clock is near its end while no more than these working days are left.
SOON_DAYS = 2


def today(zone: ZoneInfo) -> date:
    return datetime.now(zone).date()


@lru_cache(maxsize=512)
def due_on(start: date, working_days: int) -> date:
    """The last of `working_days` after `start`. Where next year's decree on holidays is not out yet, its weekends alone
    count: the day may still move when it is."""
    return after_working_days(start, working_days)


def soon_until(day: date) -> date:
    """What is due by then is nearly late."""
    return due_on(day, SOON_DAYS)


def days_left(day: date, due: date) -> int:
    """Working days from after `day` until `due`; negative once it is past."""
    return working_days_after(day, due) - working_days_after(due, day)

"""When a case is due: the service standard's working days, counted in the city's own calendar."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from lokal.holidays import add_working_days


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


def _add_weekdays(start: date, days: int) -> date:
    day = start
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day

"""When people hand in and agencies work: busy months, weekdays, hours of the day, holidays; all drawn, and seedable.

Moments are seconds since 1970 and days are proleptic ordinals: a million cases are drawn with plain numbers.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from app.cases.due import due_on
from app.workdays import after_working_days, is_workday, working_days_after

DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
# What an office sees of a year, and people of a week and a day.
_MONTHS = (1.15, 1.02, 0.92, 0.9, 1.04, 1.1, 1.22, 1.06, 1.05, 1.08, 1.0, 0.72)
_WEEKDAYS = (1.3, 1.15, 1.08, 1.02, 0.82, 0.3, 0.18)
_HOURS = (1, 0.4, 0.2, 0.2, 0.4, 1, 3, 7, 12, 14, 13, 10, 6, 9, 10, 8, 5, 4, 4, 6, 6, 5, 3, 2)
_HOLIDAY = 0.2
# So much of today's use there was at the beginning: a service that is new finds its people slowly.
_AT_FIRST = 0.45
# What is promised today is due before that; what waits longest was handed in before the history begins.
_BEYOND_DAYS = 400
_JUST_NOW_S = 60


class Clock:
    """The calendar of one history."""

    def __init__(self, zone: ZoneInfo, now: datetime, years: float) -> None:
        self.now = now.timestamp()
        offset = now.astimezone(zone).utcoffset() or timedelta()
        self._offset = offset.total_seconds()
        self.today = self.day_of(self.now)
        self.first = self.today - round(years * 365.25)
        days = range(self.first, self.today + _BEYOND_DAYS)
        self._working = [day for day in days if is_workday(date.fromordinal(day))]
        self._due: dict[tuple[int, int], date] = {}

    def arrivals(self, count: int, rng: Random) -> Sequence[float]:
        """When so many cases were handed in, in order."""
        days = range(self.first, self.today + 1)
        weights = list(accumulate(self._weight(day) for day in days))
        chosen = rng.choices(days, cum_weights=weights, k=count)
        hours = rng.choices(range(24), weights=_HOURS, k=count)
        drawn = [self.moment(day, hour * 3600 + rng.random() * 3600) for day, hour in zip(chosen, hours, strict=True)]
        return sorted(at if at < self.now - _JUST_NOW_S else at - DAY_S for at in drawn)

    def day_of(self, at: float) -> int:
        return int((at + self._offset) // DAY_S) + _EPOCH

    def moment(self, day: int, second: float) -> float:
        return (day - _EPOCH) * DAY_S + second - self._offset

    def at_work(self, after: float, days: int, rng: Random) -> float:
        """A moment in office hours `days` working days after `after`; on the same day only if there is some left."""
        day = self.day_of(after)
        first = bisect_right(self._working, day - (days == 0))
        found = self._working[first + max(0, days - 1)]
        at = self.moment(found, (8 + 8 * rng.random()) * 3600)
        return at if at > after else after + 600 + rng.random() * 5400

    def due(self, at: float, working_days: int, asked: Sequence[float] = ()) -> date:
        """What is promised for a case of that moment; later by the days from `asked` to its answer, where it was."""
        key = self.day_of(at), working_days
        if key not in self._due:
            self._due[key] = due_on(date.fromordinal(key[0]), working_days)
        if len(asked) < 2:
            return self._due[key]
        asked_on, answered_on = (date.fromordinal(self.day_of(each)) for each in asked[:2])
        return after_working_days(self._due[key], working_days_after(asked_on, answered_on))

    def _weight(self, ordinal: int) -> float:
        day = date.fromordinal(ordinal)
        grown = _AT_FIRST + (1 - _AT_FIRST) * (ordinal - self.first) / max(1, self.today - self.first)
        free = day.weekday() < 5 and not is_workday(day)
        return grown * _MONTHS[day.month - 1] * (_HOLIDAY if free else _WEEKDAYS[day.weekday()])

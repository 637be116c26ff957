"""What the figures' routes give. Every answer says `as_of`: what was committed before that is in it."""

from datetime import date, datetime

import msgspec

from app.dashboards.figures.periods import Grain
from app.dashboards.figures.sums import Totals
from app.surveys.results import SurveyResult


class PeriodFigures(msgspec.Struct, frozen=True):
    """One week or month. `is_over`: false while it still grows."""

    starts_on: date
    ends_on: date
    is_over: bool
    totals: Totals


class FiguresView(msgspec.Struct, frozen=True):
    """`periods` from the oldest to the newest; `year_before`: each of the same a year earlier, in the same order."""

    as_of: datetime | None
    time_zone: str
    grain: Grain
    agency: str | None
    service: str | None
    periods: list[PeriodFigures]
    year_before: list[PeriodFigures]


class ServiceFigures(msgspec.Struct, frozen=True):
    """A service in one period, in the one before, and in the same one a year before."""

    service: str
    title: str
    agency: str
    now: Totals
    before: Totals
    year_before: Totals


class ServicesView(msgspec.Struct, frozen=True):
    """Services of one period, the busiest first; `total` is all of them together."""

    as_of: datetime | None
    grain: Grain
    agency: str | None
    starts_on: date
    ends_on: date
    is_over: bool
    total: ServiceFigures
    items: list[ServiceFigures]


class AgeBand(msgspec.Struct, frozen=True):
    """Open cases that were handed in so many working days ago; `until_days` null: and longer. `late` of them."""

    from_days: int
    until_days: int | None
    open: int
    late: int


class ServiceBacklog(msgspec.Struct, frozen=True):
    service: str
    title: str
    agency: str
    open: int
    late: int
    median_age_days: float | None
    oldest_age_days: int | None


class BacklogView(msgspec.Struct, frozen=True):
    """Cases that are handed in and not ended, by age in working days today. Late: past the day that was promised."""

    as_of: datetime | None
    on: date
    agency: str | None
    service: str | None
    open: int
    late: int
    median_age_days: float | None
    oldest_age_days: int | None
    ages: list[AgeBand]
    services: list[ServiceBacklog]


class ServiceSurvey(msgspec.Struct, frozen=True):
    service: str
    title: str
    agency: str
    result: SurveyResult


class SurveyFigures(msgspec.Struct, frozen=True):
    """The satisfaction survey of whole months: `starts_on` to `ends_on`, all together and by service."""

    as_of: datetime | None
    agency: str | None
    service: str | None
    starts_on: date
    ends_on: date
    result: SurveyResult
    services: list[ServiceSurvey]

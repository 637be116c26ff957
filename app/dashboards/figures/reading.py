"""Figures as they stand: sums over cells, never over cases. The agency is part of every statement."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from app.cases.due import today
from app.catalog.catalog import Catalog
from app.dashboards.figures.periods import Grain, after, before, last_of, starts, year_before
from app.dashboards.figures.schemas import (
    AgeBand,
    BacklogView,
    FiguresView,
    PeriodFigures,
    ServiceBacklog,
    ServiceFigures,
    ServiceSurvey,
    ServicesView,
    SurveyFigures,
)
from app.dashboards.figures.sums import Sums, median, percentile, summed
from app.database import Database
from app.surveys.elements import COLUMNS
from app.texts import Language
from app.workdays import working_days_after

# `{of}`: whose cells, see Scope.
_PERIODS = """
SELECT starts_on, measure, value, sum(count)::int AS count FROM figure_cells
WHERE {of} AND grain = $3 AND starts_on = ANY($4::date[]) AND count <> 0 GROUP BY starts_on, measure, value
"""
_SERVICES = """
SELECT agency, service, starts_on, measure, value, count FROM figure_cells
WHERE {of} AND grain = $3 AND starts_on = ANY($4::date[]) AND count <> 0
"""
_SURVEYS = """
SELECT agency, service, measure, value, sum(count)::int AS count FROM figure_cells
WHERE {of} AND grain = 'month' AND starts_on = ANY($3::date[]) AND measure = ANY($4::text[]) AND count <> 0
GROUP BY agency, service, measure, value
"""
_OPEN = """
SELECT agency, service, starts_on, sum(count)::int AS count,
    coalesce(sum(count) FILTER (WHERE value <> '' AND value < $3), 0)::int AS late
FROM figure_cells WHERE {of} AND grain = 'day' AND measure = 'open' AND count <> 0 GROUP BY agency, service, starts_on
"""
_SURVEYED = ("ended", *COLUMNS)
_AS_OF = "SELECT as_of FROM figure_state"
# The bands' first working days.
_BANDS = (0, 2, 4, 6, 11, 21, 41)


class Scope(msgspec.Struct, frozen=True):
    """Whose figures: `agency` and `service` "" are all there are. As conditions on cells, with the two given first."""

    agency: str = ""
    service: str = ""

    @property
    def whole(self) -> str:
        """As few cells as there are: sums, but of one service in whichever agency."""
        return f"agency {'<>' if self.service and not self.agency else '='} $1 AND service = $2"

    @property
    def each(self) -> str:
        """Every service's own."""
        return f"agency {'=' if self.agency else '<>'} $1 AND service {'=' if self.service else '<>'} $2"


class _Aged(NamedTuple):
    """Cases open for so many working days, and how many of them are late."""

    age_days: int
    cases: int
    late: int


class Figures:
    """Reads them for one language."""

    def __init__(self, database: Database, catalog: Catalog, language: Language) -> None:
        self._database, self._catalog, self._language = database, catalog, language
        self.today = today(catalog.timezone)

    async def series(self, scope: Scope, grain: Grain, last: date, count: int) -> FiguresView:
        """The periods up to `last`, and each of them a year before."""
        shown = starts(last, grain, count)
        earlier = [year_before(start, grain) for start in shown]
        given = scope.agency, scope.service, grain, sorted({*shown, *earlier})
        sums = summed(await self._database.fetch(_PERIODS.format(of=scope.whole), *given), "starts_on")
        return FiguresView(
            as_of=await self._as_of(),
            time_zone=self._catalog.timezone.key,
            grain=grain,
            agency=scope.agency or None,
            service=scope.service or None,
            periods=[self._period(start, grain, sums) for start in shown],
            year_before=[self._period(start, grain, sums) for start in earlier],
        )

    async def services(self, scope: Scope, grain: Grain, start: date) -> ServicesView:
        """Every service of one period, compared."""
        three = start, before(start, grain), year_before(start, grain)
        given = scope.agency, scope.service, grain, list(three)
        rows = await self._database.fetch(_SERVICES.format(of=scope.each), *given)
        each, all_of_them = summed(rows, "agency", "service", "starts_on"), summed(rows, "starts_on")
        places = sorted({(row["agency"], row["service"]) for row in rows})
        items = [
            self._service(agency, service, [each.get((agency, service, one), Sums()) for one in three])
            for agency, service in places
        ]
        return ServicesView(
            as_of=await self._as_of(),
            grain=grain,
            agency=scope.agency or None,
            starts_on=start,
            ends_on=last_of(start, grain),
            is_over=self._is_over(start, grain),
            total=self._service(scope.agency, scope.service, [all_of_them.get((one,), Sums()) for one in three]),
            items=sorted(items, key=lambda item: (-item.now.handed_in, item.service)),
        )

    async def backlog(self, scope: Scope) -> BacklogView:
        """What is open now."""
        given = scope.agency, scope.service, self.today.isoformat()
        found = await self._database.fetch(_OPEN.format(of=scope.each), *given)
        days = {day: working_days_after(day, self.today) for day in {row["starts_on"] for row in found}}
        rows: dict[tuple[str, str], list[_Aged]] = {}
        for row in found:
            aged = _Aged(days[row["starts_on"]], row["count"], row["late"])
            rows.setdefault((row["agency"], row["service"]), []).append(aged)
        services = [self._backlog_of(place, own) for place, own in sorted(rows.items())]
        every = [each for own in rows.values() for each in own]
        ages = _ages(every)
        return BacklogView(
            as_of=await self._as_of(),
            on=self.today,
            agency=scope.agency or None,
            service=scope.service or None,
            open=sum(ages.values()),
            late=sum(each.late for each in every),
            median_age_days=median(ages),
            oldest_age_days=percentile(ages, 100),
            ages=_bands(every),
            services=sorted(services, key=lambda one: (-one.open, one.service)),
        )

    async def survey(self, scope: Scope, last: date, months: int) -> SurveyFigures:
        """The survey of so many months up to the one that begins on `last`."""
        shown = starts(last, "month", months)
        given = scope.agency, scope.service, shown, _SURVEYED
        rows = await self._database.fetch(_SURVEYS.format(of=scope.each), *given)
        services = [
            ServiceSurvey(service, self.title(service), agency, sums.survey())
            for (agency, service), sums in sorted(summed(rows, "agency", "service").items())
        ]
        return SurveyFigures(
            as_of=await self._as_of(),
            agency=scope.agency or None,
            service=scope.service or None,
            starts_on=shown[0],
            ends_on=last_of(last, "month"),
            result=summed(rows).get((), Sums()).survey(),
            services=sorted(services, key=lambda one: (-one.result.answers, one.service)),
        )

    def title(self, service: str) -> str:
        """As the catalogue has it; the slug of one that is not offered any more."""
        found = self._catalog.find(service)
        return found.title.into(self._language) if found else service

    async def _as_of(self) -> datetime | None:
        rows = await self._database.fetch(_AS_OF)
        return rows[0]["as_of"] if rows else None

    def _is_over(self, start: date, grain: Grain) -> bool:
        return after(start, grain) <= self.today

    def _period(self, start: date, grain: Grain, sums: Mapping[tuple[Any, ...], Sums]) -> PeriodFigures:
        totals = sums.get((start,), Sums()).totals()
        return PeriodFigures(start, last_of(start, grain), self._is_over(start, grain), totals)

    def _service(self, agency: str, service: str, three: Sequence[Sums]) -> ServiceFigures:
        now, one_before, a_year_before = (sums.totals() for sums in three)
        return ServiceFigures(service, self.title(service), agency, now, one_before, a_year_before)

    def _backlog_of(self, place: tuple[str, str], rows: Sequence[_Aged]) -> ServiceBacklog:
        agency, service = place
        ages, title, late = _ages(rows), self.title(service), sum(each.late for each in rows)
        return ServiceBacklog(service, title, agency, sum(ages.values()), late, median(ages), percentile(ages, 100))


def _ages(rows: Sequence[_Aged]) -> Mapping[int, int]:
    ages: dict[int, int] = {}
    for row in rows:
        ages[row.age_days] = ages.get(row.age_days, 0) + row.cases
    return ages


def _bands(rows: Sequence[_Aged]) -> list[AgeBand]:
    found = []
    for first, following in zip(_BANDS, (*_BANDS[1:], None), strict=True):
        own = [row for row in rows if first <= row.age_days and (following is None or row.age_days < following)]
        last = following - 1 if following else None
        found.append(AgeBand(first, last, sum(row.cases for row in own), sum(row.late for row in own)))
    return found

"""Figures as they stand: sums over cells, never over cases. The agency is part of every statement."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

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
from app.texts import Language
from app.workdays import working_days_after

# `agency` and `service` "" are all.
_WHERE = "($1 = '' OR agency = $1) AND ($2 = '' OR service = $2) AND count <> 0"
_PERIODS = f"""
SELECT starts_on, measure, value, sum(count)::int AS count FROM figure_cells
WHERE {_WHERE} AND grain = $3 AND starts_on = ANY($4::date[]) GROUP BY starts_on, measure, value
"""  # noqa: S608 - constants of ours
_SERVICES = f"""
SELECT agency, service, starts_on, measure, value, sum(count)::int AS count FROM figure_cells
WHERE {_WHERE} AND grain = $3 AND starts_on = ANY($4::date[]) GROUP BY agency, service, starts_on, measure, value
"""  # noqa: S608 - constants of ours
_SURVEYS = f"""
SELECT agency, service, measure, value, sum(count)::int AS count FROM figure_cells
WHERE {_WHERE} AND grain = 'month' AND starts_on BETWEEN $3 AND $4 AND (measure = 'ended' OR measure LIKE 'u_')
GROUP BY agency, service, measure, value
"""  # noqa: S608 - constants of ours
_OPEN = f"""
SELECT agency, service, starts_on, value, count FROM figure_cells
WHERE {_WHERE} AND grain = 'day' AND measure = 'open'
"""  # noqa: S608 - constants of ours
_AS_OF = "SELECT as_of FROM figure_state"
# The bands' first working days.
_BANDS = (0, 2, 4, 6, 11, 21, 41)


class Scope(msgspec.Struct, frozen=True):
    """Whose figures: `agency` and `service` "" are all there are."""

    agency: str = ""
    service: str = ""


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
        sums = summed(await self._database.fetch(_PERIODS, *given), "starts_on")
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
        rows = await self._database.fetch(_SERVICES, scope.agency, scope.service, grain, list(three))
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
        rows = [self._aged(row) for row in await self._database.fetch(_OPEN, scope.agency, scope.service)]
        places = sorted({(row["agency"], row["service"]) for row in rows})
        services = [self._backlog_of(place, rows) for place in places]
        ages = _ages(rows)
        return BacklogView(
            as_of=await self._as_of(),
            on=self.today,
            agency=scope.agency or None,
            service=scope.service or None,
            open=sum(ages.values()),
            late=_late(rows),
            median_age_days=median(ages),
            oldest_age_days=percentile(ages, 100),
            ages=_bands(rows),
            services=sorted(services, key=lambda one: (-one.open, one.service)),
        )

    async def survey(self, scope: Scope, last: date, months: int) -> SurveyFigures:
        """The survey of so many months up to the one that begins on `last`."""
        first = starts(last, "month", months)[0]
        rows = await self._database.fetch(_SURVEYS, scope.agency, scope.service, first, last)
        services = [
            ServiceSurvey(service, self.title(service), agency, sums.survey())
            for (agency, service), sums in sorted(summed(rows, "agency", "service").items())
        ]
        return SurveyFigures(
            as_of=await self._as_of(),
            agency=scope.agency or None,
            service=scope.service or None,
            starts_on=first,
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

    def _aged(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """An open cell with its age today, and whether it is late."""
        due = date.fromisoformat(row["value"]) if row["value"] else None
        return {
            **row,
            "age": working_days_after(row["starts_on"], self.today),
            "is_late": due is not None and due < self.today,
        }

    def _backlog_of(self, place: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> ServiceBacklog:
        own = [row for row in rows if (row["agency"], row["service"]) == place]
        agency, service = place
        ages, title = _ages(own), self.title(service)
        known = sum(ages.values()), _late(own), median(ages), percentile(ages, 100)
        return ServiceBacklog(service, title, agency, *known)


def _ages(rows: Sequence[Mapping[str, Any]]) -> Mapping[int, int]:
    ages: dict[int, int] = {}
    for row in rows:
        ages[row["age"]] = ages.get(row["age"], 0) + row["count"]
    return ages


def _late(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(row["count"] for row in rows if row["is_late"])


def _bands(rows: Sequence[Mapping[str, Any]]) -> list[AgeBand]:
    found = []
    for first, following in zip(_BANDS, (*_BANDS[1:], None), strict=True):
        own = [row for row in rows if first <= row["age"] and (following is None or row["age"] < following)]
        last = following - 1 if following else None
        found.append(AgeBand(first, last, sum(row["count"] for row in own), _late(own)))
    return found

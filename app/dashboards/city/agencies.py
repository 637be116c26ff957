"""Agencies side by side: their figures of some weeks or months from the sums of app.dashboards.figures, and their
systems."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from app.backends.measured import read_uptime
from app.cases.due import today
from app.cases.tools import CaseTools
from app.dashboards.figures.periods import Grain, starts
from app.database import Connection
from app.deliveries.acting import Acting
from app.deliveries.backends import BackendView, list_standing
from app.surveys.elements import COLUMNS
from app.surveys.results import result_of

# With service "" stand the agencies' sums, and with agency "" the city's.
_SUMS = """
SELECT agency, measure, value, sum(count)::int AS count FROM figure_cells
WHERE agency <> '' AND service = '' AND grain = $1 AND starts_on = ANY($2::date[]) AND count <> 0
GROUP BY agency, measure, value
"""
_OPEN = """
SELECT agency, sum(count)::int AS open,
    coalesce(sum(count) FILTER (WHERE value <> '' AND value < $1), 0)::int AS late
FROM figure_cells WHERE agency <> '' AND service = '' AND grain = 'day' AND measure = 'open' AND count <> 0
GROUP BY agency
"""
_Sums = Mapping[str, Mapping[str, int]]


class Span(msgspec.Struct, frozen=True):
    """So many weeks or months up to the one that begins on `last`."""

    grain: Grain
    last: date
    periods: int

    @property
    def starts(self) -> Sequence[date]:
        return starts(self.last, self.grain, self.periods)


class AgencyFigures(msgspec.Struct):
    """One agency in the time that was asked for. `on_time`: of what it decided, the share within the promised time.
    `index`: its IKM by PANRB 14/2017; `rating`: of 5. `open`, `late`: now. `uptime`: of its systems, the lowest."""

    id: str
    name: str
    short_name: str
    services: int
    handed_in: int
    ended: int
    on_time: float | None
    rating: float | None
    index: float | None
    grade: str | None
    answers: int
    open: int
    late: int
    systems: int
    troubled: int
    uptime: float | None


async def read_agencies(
    connection: Connection, acting: Acting, tools: CaseTools, span: Span, names: Mapping[str, str]
) -> list[AgencyFigures]:
    """In the order of the city's profile; those without a service or a case are left out. `names`: in the reader's
    language."""
    now = today(tools.catalog.timezone)
    sums: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in await connection.fetch(_SUMS, span.grain, span.starts):
        sums[row["agency"]][row["measure"]][row["value"]] = row["count"]
    standing = {row["agency"]: row for row in await connection.fetch(_OPEN, now.isoformat())}
    systems: dict[str, list[BackendView]] = defaultdict(list)
    for system in await list_standing(connection, acting, tools):
        systems[system.agency].append(system)
    uptime = await read_uptime(connection, list(tools.systems))
    services: dict[str, int] = defaultdict(int)
    for service in tools.catalog.services():
        services[service.agency_id] += 1
    return [
        _figures(
            (agency.id, names[agency.id], agency.short_name, services[agency.id]),
            sums.get(agency.id, {}),
            standing.get(agency.id, _NOTHING_OPEN),
            [(each, uptime.get(each.name)) for each in systems[agency.id]],
        )
        for agency in tools.catalog.agencies()
        if services[agency.id] or agency.id in sums
    ]


_NOTHING_OPEN: Mapping[str, Any] = {"open": 0, "late": 0}


def _figures(
    who: tuple[str, str, str, int],
    sums: _Sums,
    standing: Mapping[str, Any],
    systems: Sequence[tuple[BackendView, float | None]],
) -> AgencyFigures:
    ended, on_time, scores = (sums.get(measure, {}) for measure in ("ended", "on_time", "score"))
    survey = result_of({column: sums.get(column, {}) for column in COLUMNS}, sum(ended.values()))
    agency, name, short_name, services = who
    return AgencyFigures(
        id=agency,
        name=name,
        short_name=short_name,
        services=services,
        handed_in=sum(sums.get("handed_in", {}).values()),
        ended=sum(ended.values()),
        on_time=_share(on_time.get("yes", 0), sum(on_time.values())),
        rating=_share(sum(int(score) * count for score, count in scores.items()), sum(scores.values())),
        index=survey.index,
        grade=survey.grade,
        answers=survey.answers,
        open=standing["open"],
        late=standing["late"],
        systems=len(systems),
        troubled=sum(1 for each, _ in systems if each.consecutive_failures or each.paused or _is_open(each)),
        uptime=min((share for _, share in systems if share is not None), default=None),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _is_open(system: BackendView) -> bool:
    return any(each.state != "closed" for each in system.breakers)

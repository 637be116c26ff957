"""Agencies side by side: their figures of three months from the cells of app.dashboards.figures, and their systems."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from app.cases.due import today
from app.cases.tools import CaseTools
from app.database import Connection
from app.deliveries.acting import Acting
from app.deliveries.backends import BackendView, list_backends
from app.surveys.elements import COLUMNS
from app.surveys.results import result_of

MONTHS = 3
_SUMS = """
SELECT agency, measure, value, sum(count)::int AS count FROM figure_cells
WHERE grain = 'month' AND starts_on >= $1 AND count <> 0 GROUP BY agency, measure, value
"""
_OPEN = """
SELECT agency, sum(count)::int AS open,
    coalesce(sum(count) FILTER (WHERE value <> '' AND value < $1), 0)::int AS late
FROM figure_cells WHERE grain = 'day' AND measure = 'open' AND count <> 0 GROUP BY agency
"""
_Sums = Mapping[str, Mapping[str, int]]


class AgencyFigures(msgspec.Struct):
    """One agency in this month and the two before. `on_time`: of what it decided, the share within the promised time.
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
    connection: Connection, acting: Acting, tools: CaseTools, names: Mapping[str, str]
) -> list[AgencyFigures]:
    """In the order of the city's profile; those without a service or a case are left out. `names`: in the reader's
    language."""
    now = today(tools.catalog.timezone)
    sums: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in await connection.fetch(_SUMS, months_back(now, MONTHS - 1)):
        sums[row["agency"]][row["measure"]][row["value"]] = row["count"]
    standing = {row["agency"]: row for row in await connection.fetch(_OPEN, now.isoformat())}
    systems: dict[str, list[BackendView]] = defaultdict(list)
    for system in (await list_backends(connection, acting, tools)).items:
        systems[system.agency].append(system)
    services: dict[str, int] = defaultdict(int)
    for service in tools.catalog.services():
        services[service.agency_id] += 1
    return [
        _figures(
            (agency.id, names[agency.id], agency.short_name, services[agency.id]),
            sums.get(agency.id, {}),
            standing.get(agency.id, _NOTHING_OPEN),
            systems[agency.id],
        )
        for agency in tools.catalog.agencies()
        if services[agency.id] or agency.id in sums
    ]


def months_back(day: date, months: int) -> date:
    """The first day of the month so many before."""
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)


_NOTHING_OPEN: Mapping[str, Any] = {"open": 0, "late": 0}


def _figures(
    who: tuple[str, str, str, int], sums: _Sums, standing: Mapping[str, Any], systems: Sequence[BackendView]
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
        troubled=sum(1 for each in systems if each.consecutive_failures or each.paused or _is_open(each)),
        uptime=min((each.uptime for each in systems if each.uptime is not None), default=None),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _is_open(system: BackendView) -> bool:
    return any(each.state != "closed" for each in system.breakers)

"""What the pages of systems' health and of the desk show, gathered."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from zoneinfo import ZoneInfo

from app.backends.measured import Point
from app.cases.schemas import DeliveryState
from app.cases.tools import CaseTools
from app.dashboards.systems.schemas import SystemView
from app.database import utc_now
from app.deliveries.backends import BackendView
from app.deliveries.schemas import DeliveryItem
from app.login.guards import Officer
from app.pages.charts import Chart, Series
from app.texts import Language, text, text_keys

SYSTEMS, DESK = "/dashboard/systems", "/dashboard/desk"
STRAYS = f"{DESK}/callbacks"
PLANS = ("supervisor", "city_admin")
ACTS = ("operator", "supervisor", "city_admin")
# What somebody should look at stands above what runs well.
_FIRST = ("broken", "failing", "paused", "well", "never")
_BARS = 24
_TO_AN_HOUR = 12


def standing_of(system: BackendView) -> tuple[str, str]:
    """How a system stands in one word: a badge's kind, and the key of its words."""
    if system.paused:
        return "warn", "paused"
    if any(each.state != "closed" for each in system.breakers):
        return "bad", "broken"
    if system.consecutive_failures:
        return "warn", "failing"
    return ("good", "well") if system.ok_at else ("quiet", "never")


def list_values(items: Sequence[BackendView], officer: Officer, cases: CaseTools) -> Mapping[str, Any]:
    return {
        "items": sorted(
            ((each, *standing_of(each)) for each in items), key=lambda row: (_FIRST.index(row[2]), row[0].title)
        ),
        "agencies": agency_names(cases, officer.language),
        "facilities": {each.backend: each.name for each in cases.catalog.city.facility},
        "sees_all": not officer.agency,
        "tiles": counts(items),
    }


def counts(items: Sequence[BackendView]) -> Mapping[str, int]:
    standings = [standing_of(each)[1] for each in items]
    return {
        "well": standings.count("well"),
        "broken": sum(each in ("broken", "failing") for each in standings),
        "paused": standings.count("paused"),
        "waiting": sum(each.queued + each.delivering for each in items),
        "deciding": sum(each.needs_operator for each in items),
    }


def system_values(system: SystemView, officer: Officer, cases: CaseTools) -> Mapping[str, Any]:
    language, catalog = officer.language, cases.catalog
    kind, standing = standing_of(system)
    services = [(slug, catalog.service(slug).manifest.title.into(language)) for slug in system.services]
    return {
        "title": system.title,
        "system": system,
        "kind": kind,
        "standing": standing,
        "agency_name": agency_names(cases, language).get(system.agency, system.agency),
        "services": services,
        "operations": [(each.operation, each.operation) for each in system.operations],
        "service_names": dict(services),
        "calls": calls_chart(system.line, language, catalog.timezone),
        "times": times_chart(system.line, language, catalog.timezone),
        "acts": officer.role in ACTS,
        "plans": officer.role in PLANS,
        "now": utc_now(),
    }


def calls_chart(line: Sequence[Point], language: Language, zone: ZoneInfo) -> Chart:
    """The last day by the hour: what was answered, and what was not."""
    hours = _by_hour(line)
    answered = [sum(each.calls - each.failures for each in hour) for hour in hours]
    failed = [sum(each.failures for each in hour) for hour in hours]
    return Chart(
        "stacked",
        text("systems.chart.calls", language),
        text("systems.chart.hour", language),
        _labels(hours, zone, language),
        [
            Series(text("systems.chart.answered", language), answered),
            Series(text("systems.chart.failed", language), failed),
        ],
    )


def times_chart(line: Sequence[Point], language: Language, zone: ZoneInfo) -> Chart:
    """The last day by the hour: the middle of its five minutes' medians, weighted by their calls."""
    hours = _by_hour(line)
    medians = [_weighted(hour) for hour in hours]
    return Chart(
        "line",
        text("systems.chart.times", language),
        text("systems.chart.hour", language),
        _labels(hours, zone, language),
        [Series(text("systems.chart.median", language), medians)],
        unit="ms",
    )


def agency_names(cases: CaseTools, language: Language) -> Mapping[str, str]:
    return {each.id: each.short_name for each in cases.catalog.agencies()}


def desk_values(items: Sequence[DeliveryItem], systems: Mapping[str, str], language: Language) -> Mapping[str, Any]:
    return {
        "items": items,
        "choices": {
            "state": [(each, text(f"systems.state.{each}", language)) for each in get_args(DeliveryState)],
            "backend": sorted(systems.items(), key=lambda each: each[1]),
            "reason": [
                (key.removeprefix("waits."), text(key, language))
                for key in text_keys("waits.")
                if key.removeprefix("waits.") not in ("paused", "unknown", *get_args(DeliveryState))
            ],
        },
        "systems": systems,
    }


def _by_hour(line: Sequence[Point]) -> list[Sequence[Point]]:
    newest = line[-_TO_AN_HOUR * _BARS :]
    return [newest[begin : begin + _TO_AN_HOUR] for begin in range(0, len(newest), _TO_AN_HOUR)]


def _labels(hours: Sequence[Sequence[Point]], zone: ZoneInfo, language: Language) -> list[str]:
    form = "%H:%M" if language == "en" else "%H.%M"
    return [hour[0].at.astimezone(zone).strftime(form) for hour in hours]


def _weighted(hour: Sequence[Point]) -> float | None:
    known = [(each.median_ms, each.calls) for each in hour if each.median_ms is not None]
    calls = sum(count for _, count in known)
    return round(sum(median * count for median, count in known) / calls) if calls else None

"""Every figure once more, by plain Python over the rows of events and surveys: nothing of the product counts here."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lokal.holidays import HOLIDAY_YEARS, is_working_day

import app

# Days off in the years before the ones that lokal-id has, as the decrees number them.
OFF = tomllib.loads((Path(app.__file__).parent / "holidays.toml").read_text("utf-8"))["closed"]
ZONE = ZoneInfo("Asia/Jakarta")
TICKETS = {"puskesmas-queue-ticket", "hospital-queue-ticket"}
Counted = Counter[tuple[str, date, str, str, str, str]]
_CELLS = "SELECT grain, starts_on, agency, service, measure, value, count FROM figure_cells WHERE count <> 0"


async def recounted(connection: Any) -> Counted:
    """From the events, as they stand now."""
    cases = {row["id"]: row for row in await connection.fetch("SELECT id, agency, service, due_on, status FROM cases")}
    lines: dict[Any, list[Any]] = {case_id: [] for case_id in cases}
    statement = "SELECT case_id, at, kind, status, data::jsonb AS data FROM case_events ORDER BY case_id, seq"
    for row in await connection.fetch(statement):
        lines[row["case_id"]].append(row)
    surveys = {row["case_id"]: row for row in await connection.fetch("SELECT * FROM surveys")}
    counted: Counted = Counter()
    for case_id, case in cases.items():
        _count_one(counted, case, lines[case_id], surveys.get(case_id))
    return counted


async def counted(connection: Any) -> Counted:
    """As the product has counted."""
    return Counter({tuple(row.values())[:6]: row["count"] for row in await connection.fetch(_CELLS)})


def with_sums(counted: Counted) -> Counted:
    """Each agency's and the city's beside them."""
    whole = counted.copy()
    for (grain, start, agency, _, measure, value), count in counted.items():
        whole[grain, start, agency, "", measure, value] += count
        whole[grain, start, "", "", measure, value] += count
    return whole


def _count_one(counted: Counted, case: Mapping[str, Any], events: list[Any], survey: Any) -> None:
    handed = [event["at"] for event in events if event["kind"] == "submitted"]
    if not handed:
        return
    began = min(handed).astimezone(ZONE).date()
    where = case["agency"], case["service"]
    stands = case["service"] in TICKETS or case["status"] == "needs_citizen"
    due = None if stands else case["due_on"]
    ends = [event for event in events if event["status"] in ("completed", "rejected", "withdrawn", "expired")]
    told: list[tuple[date, str, str]] = [(began, "handed_in", "")]
    if not ends:
        counted["day", began, *where, "open", due.isoformat() if due else ""] += 1
    else:
        ended, outcome = ends[0]["at"].astimezone(ZONE).date(), ends[0]["status"]
        told.append((ended, "ended", outcome))
        if outcome in ("completed", "rejected"):
            told.append((ended, "days", str(_working_days(began, ended))))
            if due:
                told.append((ended, "on_time", "no" if ended > due else "yes"))
        if outcome == "rejected":
            told.append((ended, "reason", _of(ends[0]).get("reason_code") or "other"))
    rated = [event for event in events if event["kind"] == "rated"]
    if rated:
        told.append((rated[0]["at"].astimezone(ZONE).date(), "score", str(_of(rated[0])["score"])))
    if survey:
        day = survey["answered_at"].astimezone(ZONE).date()
        told += [(day, f"u{number}", str(survey[f"u{number}"])) for number in range(1, 10)]
    for day, measure, value in told:
        counted["week", day - timedelta(days=day.isoweekday() - 1), *where, measure, value] += 1
        counted["month", date(day.year, day.month, 1), *where, measure, value] += 1


def _of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data: Mapping[str, Any] = event["data"]
    return data


def _working_days(start: date, end: date) -> int:
    found, day = 0, start
    while day < end:
        day += timedelta(days=1)
        known = day.year in HOLIDAY_YEARS
        found += is_working_day(day) if known else day.weekday() not in (5, 6) and day not in OFF
    return found

"""Figures over the API: what a recount from the events gives, and for officers of an agency only their own."""

import statistics
from datetime import date, timedelta
from typing import Any

import pytest

from app.dashboards.figures.counting import Counting
from app.dashboards.figures.sums import median, percentile
from tests.app.dashboards.figures.recount import Counted, recounted
from tests.harness.officers import Officers

READERS = ("operator", "supervisor", "agency_head")
Cells = dict[str, dict[str, int]]
PATHS = ("", "/services", "/backlog", "/survey")


@pytest.fixture(scope="module")
async def expected(owner: Any, counting: Counting) -> Counted:
    """Counted by the product as well, before any route is asked."""
    await counting.run(everything=True)
    return await recounted(owner)


async def test_every_total_is_the_recounts(expected: Counted, officers: Officers) -> None:
    shown = (await (await officers.make("auditor")).get("/v1/officer/figures", periods="30")).json()
    assert shown["as_of"]
    assert len(shown["periods"]) == len(shown["year_before"]) == 30
    for period in shown["periods"] + shown["year_before"]:
        _same(period["totals"], _cells(expected, "month", date.fromisoformat(period["starts_on"])))
    assert not shown["periods"][-1]["is_over"]
    assert shown["periods"][-2]["is_over"]


async def test_weeks_too_and_by_service(expected: Counted, officers: Officers) -> None:
    officer = await officers.make("city_admin")
    for week in (3, 9, 53):
        day = date.today() - timedelta(weeks=week)  # noqa: DTZ011 -- whichever week it is, it is long over
        answer = await officer.get("/v1/officer/figures/services", grain="week", until=day.isoformat())
        shown = answer.json()
        start = date.fromisoformat(shown["starts_on"])
        assert start.weekday() == 0
        _same(shown["total"]["now"], _cells(expected, "week", start))
        for item in shown["items"]:
            own = {"agency": item["agency"], "service": item["service"]}
            _same(item["now"], _cells(expected, "week", start, **own))
            _same(item["before"], _cells(expected, "week", start - timedelta(days=7), **own))
            _same(item["year_before"], _cells(expected, "week", start - timedelta(days=364), **own))


async def test_the_backlog_is_what_is_open(owner: Any, expected: Counted, officers: Officers) -> None:
    shown = (await (await officers.make("auditor")).get("/v1/officer/figures/backlog")).json()
    open_cases = sum(count for cell, count in expected.items() if cell[4] == "open")
    ended = "('draft', 'completed', 'rejected', 'withdrawn', 'expired')"
    assert (
        shown["open"] == open_cases == await owner.fetchval(f"SELECT count(*) FROM cases WHERE status NOT IN {ended}")
    )
    assert sum(band["open"] for band in shown["ages"]) == open_cases
    assert sum(band["late"] for band in shown["ages"]) == shown["late"]
    assert sum(service["open"] for service in shown["services"]) == open_cases


async def test_the_survey_of_a_year(expected: Counted, officers: Officers) -> None:
    shown = (await (await officers.make("auditor")).get("/v1/officer/figures/survey", months="12")).json()
    first, last = date.fromisoformat(shown["starts_on"]), date.fromisoformat(shown["ends_on"])
    answers = [
        (int(cell[5]), count)
        for cell, count in expected.items()
        if cell[0] == "month" and first <= cell[1] <= last and cell[4] in {f"u{number}" for number in range(1, 10)}
    ]
    given = sum(count for _, count in answers)
    assert shown["result"]["answers"] * 9 == given
    assert shown["result"]["index"] == pytest.approx(sum(one * count for one, count in answers) / given * 25, abs=0.006)


@pytest.mark.parametrize("role", READERS)
async def test_an_agency_sees_its_own(expected: Counted, officers: Officers, role: Any) -> None:
    officer = await officers.make(role, "dinkes")
    for path in PATHS:
        answer = await officer.get(f"/v1/officer/figures{path}")
        assert answer.status_code == 200, answer.text
        assert "dpmptsp" not in answer.text
        assert "outdoor-advertising" not in answer.text
        refused = await officer.get(f"/v1/officer/figures{path}", agency="dpmptsp")
        assert (refused.status_code, refused.json()["code"]) == (404, "agency_unknown")
        assert (await officer.get(f"/v1/officer/figures{path}", agency="dinkes")).json() == answer.json()
    foreign = (await officer.get("/v1/officer/figures", service="outdoor-advertising")).json()
    assert {period["totals"]["handed_in"] for period in foreign["periods"]} == {0}
    own = (await officer.get("/v1/officer/figures")).json()
    for period in own["periods"]:
        _same(period["totals"], _cells(expected, "month", date.fromisoformat(period["starts_on"]), agency="dinkes"))


@pytest.mark.parametrize("until", ["2026-02-30", "yesterday", "2026-1-1"])
async def test_what_is_no_day_is_refused(officers: Officers, until: str) -> None:
    refused = await (await officers.make("auditor")).get("/v1/officer/figures", until=until)
    assert (refused.status_code, refused.json()["code"]) == (400, "parameter_invalid")


def test_medians_and_percentiles_are_those_of_the_values() -> None:
    for values in ([1], [1, 2], [5, 5, 9], [0, 3, 3, 8], list(range(101)), [7] * 10 + [90]):
        histogram = {value: values.count(value) for value in values}
        assert median(histogram) == statistics.median(values)
        assert percentile(histogram, 90) == sorted(values)[-(-len(values) * 90 // 100) - 1]
    assert (median({}), percentile({}, 90)) == (None, None)


def _cells(
    expected: Counted, grain: str, start: date, agency: str = "", service: str = ""
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for cell, count in expected.items():
        if cell[:2] == (grain, start) and agency in ("", cell[2]) and service in ("", cell[3]):
            own = found.setdefault(cell[4], {})
            own[cell[5]] = own.get(cell[5], 0) + count
    return found


def _same(totals: dict[str, Any], cells: Cells) -> None:
    days = sorted(int(value) for value, count in cells.get("days", {}).items() for _ in range(count))
    scores = [int(value) for value, count in cells.get("score", {}).items() for _ in range(count)]
    timely = cells.get("on_time", {})
    assert totals["handed_in"] == sum(cells.get("handed_in", {}).values())
    assert totals["outcomes"] == cells.get("ended", {})
    assert totals["decided"] == len(days)
    assert (totals["on_time"], totals["promised"]) == (timely.get("yes", 0), sum(timely.values()))
    assert totals["median_days"] == (statistics.median(days) if days else None)
    assert totals["p90_days"] == (days[-(-len(days) * 90 // 100) - 1] if days else None)
    assert totals["refusals"] == cells.get("reason", {})
    assert totals["ratings"] == len(scores)
    assert totals["rating"] == (pytest.approx(statistics.mean(scores), abs=0.0051) if scores else None)
    assert totals["survey_answers"] == sum(cells.get("u1", {}).values())

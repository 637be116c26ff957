"""The demo's past: what is written is what the product could have written, and nothing of it is readable."""

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from app.cases.casedata import FORM_CONTEXT
from app.cases.due import due_on
from app.cases.numbers import is_case_number
from app.cases.states import FINAL, may_move
from app.catalog.catalog import Catalog
from app.forms import Form
from app.history.clock import Clock
from app.history.people import nik_of
from app.history.seeding import Past, places, write_history
from app.login.models import NAME, NIK
from app.privacy import open_vault
from app.settings import Settings, SettingsError, read_settings
from app.workdays import working_days_after
from tests.app.history.conftest import CASES

_EVENTS = "SELECT * FROM case_events ORDER BY case_id, seq"


async def test_every_timeline_follows_the_arrows(past: Any) -> None:
    cases = {row["id"]: row for row in await past.fetch("SELECT * FROM cases")}
    lines: dict[Any, list[Any]] = {}
    for row in await past.fetch(_EVENTS):
        lines.setdefault(row["case_id"], []).append(row)
    assert len(cases) == len(lines) == CASES
    for case_id, events in lines.items():
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        assert events[-1]["at"] <= datetime.now(UTC)
        statuses = [event["status"] for event in events]
        assert all(before == after or may_move(before, after) for before, after in pairwise(statuses)), statuses
        assert statuses[0] in ("draft", "submitted")
        case = cases[case_id]
        assert (case["status"], case["last_event"]) == (statuses[-1], len(events))
        assert is_case_number(case["number"])


async def test_every_service_that_takes_cases_has_some(past: Any, settings: Settings) -> None:
    catalog = Catalog.load(settings.city)
    wanted = {service.slug for service in catalog.services() if service.backends}
    assert {row["service"] for row in await past.fetch("SELECT DISTINCT service FROM cases")} == wanted


async def test_what_is_promised_moves_with_questions_and_tickets_promise_nothing(past: Any, settings: Settings) -> None:
    catalog = Catalog.load(settings.city)
    lines: dict[Any, dict[str, date]] = {}
    for row in await past.fetch(_EVENTS):
        lines.setdefault(row["case_id"], {})[row["kind"]] = row["at"].astimezone(catalog.timezone).date()
    moved = 0
    for case in await past.fetch("SELECT id, service, due_on FROM cases WHERE submitted_at IS NOT NULL"):
        service, told = catalog.find(case["service"]), lines[case["id"]]
        assert service is not None
        if service.manifest.delivery == "immediate":
            assert case["due_on"] is None
            continue
        assert service.manifest.working_days is not None
        waits = working_days_after(told["needs_citizen"], told["answered"]) if "answered" in told else 0
        assert case["due_on"] == due_on(due_on(told["submitted"], service.manifest.working_days), waits)
        moved += waits > 0
    assert moved > 0


async def test_it_looks_like_an_agency_at_work(past: Any) -> None:
    by_status = dict(await past.fetch("SELECT status, count(*) FROM cases GROUP BY status"))
    assert by_status["completed"] > CASES / 2
    assert {"rejected", "withdrawn", "expired"} <= by_status.keys()
    assert sum(count for status, count in by_status.items() if status not in FINAL) > 5
    assert await past.fetchval("SELECT count(*) FROM cases WHERE rating IS NOT NULL") > CASES / 10
    assert await past.fetchval("SELECT count(*) FROM surveys") > CASES / 20
    weekend = "extract(isodow FROM submitted_at AT TIME ZONE 'Asia/Jakarta') > 5"
    assert await past.fetchval(f"SELECT count(*) FROM cases WHERE {weekend}") < CASES / 5


async def test_receipts_say_what_the_cases_say(past: Any) -> None:
    rows = await past.fetch(
        "SELECT cases.*, state, reference, outcome FROM cases LEFT JOIN deliveries ON case_id = cases.id "
        "LEFT JOIN delivery_attempts ON delivery_id = deliveries.id"
    )
    for row in rows:
        assert row["delivery_state"] == row["state"] == row["outcome"]
        assert (row["state"] is None) == (row["status"] == "draft")
        if row["agency_reference"]:
            assert row["reference"] == row["agency_reference"]


async def test_some_of_what_is_open_is_given_to_the_agencys_own_officers(past: Any) -> None:
    rows = await past.fetch(
        "SELECT cases.agency, officers.agency AS own, status FROM cases JOIN officers ON officers.id = assignee_id"
    )
    assert rows
    assert all(row["agency"] == row["own"] and row["status"] not in FINAL for row in rows)


async def test_personal_data_is_sealed_and_fictitious(past: Any, settings: Settings) -> None:
    vault = open_vault(settings)
    row = await past.fetchrow(
        "SELECT * FROM citizens JOIN cases ON citizen_id = citizens.id JOIN contacts USING (citizen_id) LIMIT 1"
    )
    nik = vault.decrypt(row["nik_enc"], NIK).decode()
    assert len(nik) == 16
    assert int(nik[-4:]) > 9000
    assert vault.decrypt(row["name_enc"], NAME).decode().strip()
    assert row["nik_index"] == vault.index("nik", nik)
    said = [row["data"] for row in await past.fetch("SELECT data FROM case_events WHERE data ? 'reason'")]
    assert said
    assert all(vault.is_sealed(json.loads(data)["reason"]) for data in said)


async def test_forms_are_right(past: Any, settings: Settings) -> None:
    catalog, vault = Catalog.load(settings.city), open_vault(settings)
    rows = await past.fetch("SELECT DISTINCT ON (service) service, form_enc FROM cases ORDER BY service, id")
    for row in rows:
        form = catalog.form(row["service"])
        assert isinstance(form, Form)
        assert form.errors(json.loads(vault.decrypt(row["form_enc"], FORM_CONTEXT))) == []


async def test_it_is_written_once(past: Any, settings: Settings) -> None:
    said: list[str] = []
    assert await write_history(settings, Past(2000), said.append) == 0
    assert "already" in said[-1]
    assert await past.fetchval("SELECT count(*) FROM cases") == CASES


async def test_production_has_no_past_but_its_own(environment: dict[str, str]) -> None:
    production = {
        "LOKET_ENV": "production",
        "LOKET_PUBLIC_URL": "https://loket.example",
        "LOKET_DATA_KEY": "A" * 43 + "=",
        "LOKET_INDEX_KEY": "B" * 43 + "=",
        "LOKET_ANCHOR_KEY": "C" * 43 + "=",
        "LOKET_LIMITS": "strict",
    }
    with pytest.raises(SettingsError):
        await write_history(read_settings(environment | production), Past(1000), lambda _: None)


def test_no_nik_is_given_twice() -> None:
    districts = ["35.71.01", "35.71.02", "35.71.03"]
    given = {nik_of(number, districts)[0] for number in range(200_000)}
    assert len(given) == 200_000
    assert all(len(nik) == 16 for nik in given)


def test_few_hand_in_on_holidays() -> None:
    clock = Clock(Catalog.load("kediri").timezone, datetime(2026, 11, 20, 5, tzinfo=UTC), 0.9)
    days = [date.fromordinal(clock.day_of(at)) for at in clock.arrivals(20_000, Random(3))]
    new_year, monday_after = days.count(date(2026, 8, 17)), days.count(date(2026, 8, 24))
    assert new_year * 3 < monday_after


def test_a_service_keeps_its_character() -> None:
    catalog = Catalog.load("kediri")
    one, other = places(catalog, Random(1)), places(catalog, Random(2))
    assert [place.offer for place, _ in one] == [place.offer for place, _ in other]

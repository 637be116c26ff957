"""Asking for a service over the API: handing in at once, or by way of a draft."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.cases.due import due_on
from app.cases.numbers import is_case_number
from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables, grown

ZONE = ZoneInfo("Asia/Jakarta")


async def open_draft(citizen: Citizen, form: dict[str, Any]) -> httpx.Response:
    return await citizen.post("/v1/cases", {"service": SERVICE, "form": form, "draft": True}, key=new_key())


async def patch(citizen: Citizen, case_id: str, form: dict[str, Any], etag: str | None) -> httpx.Response:
    headers = {"If-Match": etag} if etag else {}
    return await citizen.client.patch(f"/v1/cases/{case_id}", json={"form": form}, headers=headers)


async def test_a_case_handed_in_is_told_with_all_a_citizen_needs(citizen: Citizen, tables: Tables) -> None:
    form = advertising(await send_pdf(citizen))
    before = await tables.counts()
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert answer.status_code == 202
    case = answer.json()
    assert UUID(case["id"]).version == 7
    assert is_case_number(case["number"])
    assert case["number"].startswith(f"3571-{datetime.now(ZONE):%y}-")
    assert (case["status"], case["delivery"]["state"]) == ("submitted", "queued")
    assert case["next_action"]["code"] == "wait"
    assert case["service"] == SERVICE
    assert case["links"] == {
        "self": f"/v1/cases/{case['id']}",
        "events": f"/v1/cases/{case['id']}/events",
        "withdraw": f"/v1/cases/{case['id']}/withdraw",
    }
    assert answer.headers["location"] == case["links"]["self"]
    assert answer.headers["etag"]
    assert answer.headers["cache-control"] == "no-store"
    stored = grown(before, await tables.counts())
    assert {name: stored[name] for name in ("cases", "case_events", "deliveries", "audit_rows", "pgqueuer")} == {
        "cases": 1,
        "case_events": 1,
        "deliveries": 1,
        "audit_rows": 1,
        "pgqueuer": 1,
    }


async def test_it_is_due_at_the_end_of_the_last_working_day_in_the_citys_zone(citizen: Citizen) -> None:
    answer = await citizen.post(
        "/v1/cases", {"service": SERVICE, "form": advertising(await send_pdf(citizen))}, key=new_key()
    )
    service = (await citizen.get(f"/v1/services/{SERVICE}")).json()
    due = datetime.fromisoformat(answer.json()["due_at"])
    assert due.tzinfo == UTC
    local = due.astimezone(ZONE)
    assert (local.hour, local.minute, local.second) == (23, 59, 59)
    assert local.date() == due_on(datetime.now(ZONE).date(), service["working_days"])


async def test_what_is_personal_is_not_readable_in_the_table(citizen: Citizen, tables: Tables) -> None:
    form = advertising(await send_pdf(citizen), advert_text="Rahasia Toko Siti")
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    row = await tables.value("SELECT cases::text FROM cases WHERE id = $1", UUID(answer.json()["id"]))
    assert "Rahasia" not in row
    assert b"Rahasia".hex() not in row


async def test_a_draft_may_lack_what_is_not_filled_in_yet(citizen: Citizen, tables: Tables) -> None:
    begun = {"kind": "new", "requirements_met": ["identity_card"], "declaration": False}
    answer = await open_draft(citizen, begun)
    assert answer.status_code == 201, answer.text
    case = answer.json()
    assert (case["status"], case["delivery"], case["due_at"], case["submitted_at"]) == ("draft", None, None, None)
    assert case["next_action"]["code"] == "submit"
    assert case["links"]["submit"] == f"/v1/cases/{case['id']}/submit"
    assert await tables.value("SELECT count(*) FROM deliveries WHERE case_id = $1", UUID(case["id"])) == 0
    shown = (await citizen.get(case["links"]["self"])).json()
    assert shown["form"] == begun
    assert [event["kind"] for event in shown["timeline"]] == ["created"]


async def test_what_a_draft_has_must_fit(citizen: Citizen, tables: Tables) -> None:
    before = await tables.counts()
    answer = await open_draft(citizen, {"kind": "sometimes", "width_m": -2})
    assert answer.status_code == 422
    assert {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]} >= {("/form/kind", "enum")}
    assert grown(before, await tables.counts()) == {}


async def test_from_draft_to_handed_in(citizen: Citizen, tables: Tables) -> None:
    opened = await open_draft(citizen, {"kind": "new"})
    case_id, etag = opened.json()["id"], opened.headers["etag"]
    refused = await citizen.post(f"/v1/cases/{case_id}/submit", None)
    assert refused.status_code == 422
    assert {(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]} >= {("/form/purpose", "required")}
    whole = advertising(await send_pdf(citizen))
    changed = await patch(citizen, case_id, whole, etag)
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] != etag
    before = await tables.counts()
    submitted = await citizen.post(f"/v1/cases/{case_id}/submit", None)
    assert submitted.status_code == 202, submitted.text
    case = submitted.json()
    assert (case["status"], case["delivery"]["state"], case["number"]) == (
        "submitted",
        "queued",
        opened.json()["number"],
    )
    assert case["due_at"]
    assert grown(before, await tables.counts()) == {
        "case_events": 1,
        "deliveries": 1,
        "pgqueuer": 1,
        "pgqueuer_log": 1,
        "audit_rows": 1,
    }
    again = await citizen.post(f"/v1/cases/{case_id}/submit", None)
    assert (again.status_code, again.json()["code"]) == (409, "case_not_a_draft")
    late = await patch(citizen, case_id, whole, submitted.headers["etag"])
    assert (late.status_code, late.json()["code"]) == (409, "case_not_a_draft")


async def test_two_devices_never_overwrite_each_other_unseen(citizen: Citizen) -> None:
    opened = await open_draft(citizen, {"kind": "new"})
    case_id, read = opened.json()["id"], opened.headers["etag"]
    first = await patch(citizen, case_id, {"kind": "renewal"}, read)
    second = await patch(citizen, case_id, {"kind": "change"}, read)
    without = await patch(citizen, case_id, {"kind": "change"}, None)
    assert (first.status_code, second.status_code, without.status_code) == (200, 412, 428)
    assert (second.json()["code"], without.json()["code"]) == ("etag_stale", "if_match_missing")
    shown = await citizen.get(f"/v1/cases/{case_id}")
    assert shown.json()["form"] == {"kind": "renewal"}
    assert shown.headers["etag"] == first.headers["etag"]


async def test_the_modules_own_rules_hold_and_point_at_the_field(citizen: Citizen, tables: Tables) -> None:
    form = advertising(await send_pdf(citizen), starts_on="2020-01-06")
    before = await tables.counts()
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert answer.status_code == 422
    assert ("/form/starts_on", "period_in_past") in {
        (fault["pointer"], fault["code"]) for fault in answer.json()["errors"]
    }
    assert grown(before, await tables.counts()) == {}


async def test_a_draft_is_checked_against_the_version_it_was_written_for(citizen: Citizen, tables: Tables) -> None:
    opened = await open_draft(citizen, advertising(await send_pdf(citizen)))
    case_id = UUID(opened.json()["id"])
    # A version that is not in the tree any more: it must not silently be taken for the current one.
    await tables.run("UPDATE cases SET form_version = 77 WHERE id = $1", case_id)
    answer = await citizen.post(f"/v1/cases/{case_id}/submit", None)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "form_version_unknown")
    assert await tables.value("SELECT status FROM cases WHERE id = $1", case_id) == "draft"


async def test_a_version_that_never_was_is_refused(citizen: Citizen) -> None:
    body = {"service": SERVICE, "form": {}, "draft": True, "form_version": 99}
    answer = await citizen.post("/v1/cases", body, key=new_key())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/form_version")


async def test_a_service_dealt_with_elsewhere_says_where(citizen: Citizen) -> None:
    body = {"service": "building-approval", "form": {}}
    answer = await citizen.post("/v1/cases", body, key=new_key())
    assert (answer.status_code, answer.json()["code"]) == (422, "service_elsewhere")
    assert "https://" in answer.json()["detail"]


@pytest.mark.parametrize("language", ["id", "en"])
async def test_every_text_is_in_the_readers_language(people: People, language: str) -> None:
    citizen = await people.make(language=language)
    form = advertising(await send_pdf(citizen))
    case = (await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())).json()
    shown = (await citizen.get(case["links"]["self"])).json()
    expected = {
        "id": ("Sudah diajukan", "Permohonan diajukan.", "Tidak ada yang perlu Anda lakukan sekarang."),
        "en": ("Handed in", "Handed in.", "There is nothing for you to do now."),
    }
    assert (shown["status_text"], shown["timeline"][0]["text"], shown["next_action"]["text"]) == expected[language]
    assert shown["delivery"]["text"].startswith({"id": "Tersimpan", "en": "Stored"}[language])
    assert shown["service_title"] == case["service_title"]


async def test_a_replaced_file_leaves_the_draft_again(citizen: Citizen, tables: Tables) -> None:
    """What is handed over are the files the form names now, not those it named before."""
    old, new = await send_pdf(citizen), await send_pdf(citizen)
    opened = await open_draft(citizen, advertising(old))
    case_id = opened.json()["id"]
    changed = await patch(citizen, case_id, advertising(new), opened.headers["etag"])
    assert changed.status_code == 200, changed.text
    bound = await tables.rows("SELECT id FROM attachments WHERE case_id = $1", UUID(case_id))
    assert [str(row["id"]) for row in bound] == [new]
    reused = await citizen.post("/v1/cases", {"service": SERVICE, "form": advertising(old)}, key=new_key())
    assert reused.status_code == 202


async def test_dates_are_the_citys_and_not_the_servers(citizen: Citizen) -> None:
    """A permit may begin today, as the city counts days, at any hour."""
    today = datetime.now(ZONE).date()
    ends = today + timedelta(days=30)
    form = advertising(await send_pdf(citizen), starts_on=today.isoformat(), ends_on=ends.isoformat())
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert answer.status_code == 202, answer.text

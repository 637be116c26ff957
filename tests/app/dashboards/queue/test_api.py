"""Officers' cases by the API: filters and pages, a case whole to its own agency alone, and what is done with it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.assembly import Product
from app.cases.due import due_on, today
from app.dashboards.queue.escalation import escalate
from tests.harness.cases import hand_in
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

CASES = "/v1/officer/cases"
WORDS = "Papan nama toko"
ZONE = ZoneInfo("Asia/Jakarta")


@pytest.fixture
async def operator(officers: Officers) -> OfficerAtWork:
    return await officers.make("operator")


@pytest.fixture
async def supervisor(officers: Officers) -> OfficerAtWork:
    return await officers.make("supervisor")


@pytest.fixture
async def case(people: People) -> dict[str, Any]:
    """One that was handed in just now, to dpmptsp."""
    return await hand_in(await people.make())


async def numbers(officer: OfficerAtWork, **filters: str) -> list[str]:
    answer = await officer.get(CASES, limit="100", **filters)
    assert answer.status_code == 200, answer.text
    return [each["number"] for each in answer.json()["items"]]


async def test_filters_find_what_they_name_and_nothing_else(
    operator: OfficerAtWork, people: People, tables: Tables
) -> None:
    late, soon, asked, given = [await hand_in(await people.make()) for _ in range(4)]
    day = today(ZONE)
    await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = $1", late["id"], day - timedelta(days=3))
    await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = $1", soon["id"], due_on(day, 1))
    await tables.run("UPDATE cases SET status = 'needs_citizen' WHERE id::text = $1", asked["id"])
    taken = await operator.post(f"{CASES}/assign", {"case_ids": [given["id"]], "officer_id": str(operator.id)})
    assert taken.json()["assigned"] == [given["id"]]
    everything = {each["number"] for each in (late, soon, asked, given)}
    for filters, expected in (
        ({"clock": "late"}, {late["number"]}),
        ({"clock": "soon_late"}, {soon["number"]}),
        ({"status": "needs_citizen"}, {asked["number"]}),
        ({"assignee": "me"}, {given["number"]}),
        ({"assignee": "nobody"}, everything - {given["number"]}),
        ({"service": "outdoor-advertising", "delivery": "queued"}, everything),
        ({"service": "research-permit"}, set()),
        ({"agency": "dinkes"}, everything),
    ):
        assert everything & set(await numbers(operator, **filters)) == expected, filters
    shown = {each["number"]: each for each in (await operator.get(CASES)).json()["items"]}
    assert (shown[late["number"]]["clock"], shown[soon["number"]]["clock"]) == ("late", "soon_late")
    assert (shown[late["number"]]["days_left"] < 0, shown[soon["number"]]["days_left"]) == (True, 1)
    counts = (await operator.get(f"{CASES}/counts")).json()
    assert counts["mine"] == 1
    assert min(counts["late"], counts["soon_late"], counts["needs_citizen"], counts["unassigned"]) >= 1


async def test_what_a_tile_counts_its_list_shows(officers: Officers, people: People, tables: Tables) -> None:
    """An agency of its own, so that nothing else is counted."""
    officer = await officers.make("operator", "dlh")
    cases = [await hand_in(await people.make()) for _ in range(5)]
    ids = [case["id"] for case in cases]
    await tables.run("UPDATE cases SET agency = 'dlh' WHERE id::text = ANY($1)", ids)
    for case, state in zip(cases, ("queued", "delivering", "needs_operator", "rejected", "delivered"), strict=True):
        await tables.run("UPDATE cases SET delivery_state = $2 WHERE id::text = $1", case["id"], state)
    await tables.run("UPDATE cases SET assignee_id = $2 WHERE id::text = ANY($1)", ids[:3], officer.id)
    await tables.run("UPDATE cases SET status = 'completed' WHERE id::text = $1", ids[0])
    await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = ANY($1)", ids[1:3], today(ZONE) - timedelta(days=3))
    counts = (await officer.get(f"{CASES}/counts")).json()
    for name, filters in (
        ("unassigned", {"assignee": "nobody"}),
        ("mine", {"assignee": "me"}),
        ("late", {"clock": "late"}),
        ("needs_citizen", {"status": "needs_citizen"}),
        ("undelivered", {"delivery": "undelivered"}),
    ):
        assert counts[name] == len(await numbers(officer, **filters)), name
    assert (counts["mine"], counts["unassigned"], counts["late"], counts["undelivered"]) == (2, 2, 2, 3)
    # What has ended is there for who asks for it.
    assert await numbers(officer, assignee="me", status="completed") == [cases[0]["number"]]


@pytest.mark.parametrize("clock", [{}, {"clock": "late"}], ids=["newest", "due"])
async def test_pages_join_without_gap_or_repetition(
    operator: OfficerAtWork, people: People, tables: Tables, clock: dict[str, str]
) -> None:
    citizen = await people.make()
    for _ in range(4):
        handed = await hand_in(citizen)
        await tables.run("UPDATE cases SET due_on = '2026-01-05' WHERE id::text = $1", handed["id"])
    paged: list[str] = []
    cursor: dict[str, str] = {}
    whole = await numbers(operator, **clock)
    while True:
        page = (await operator.get(CASES, limit="3", **clock, **cursor)).json()
        paged += [each["number"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert len(set(paged)) == len(paged) >= 4
    assert (await operator.get(CASES, cursor="x")).status_code == 400


async def test_drafts_are_their_citizens_alone(operator: OfficerAtWork, people: People) -> None:
    citizen = await people.make()
    body = {"service": "outdoor-advertising", "form": {"purpose": "Belum jadi"}, "draft": True}
    draft = (await citizen.post("/v1/cases", body, key="draft-is-mine-1")).json()
    assert draft["number"] not in await numbers(operator)
    assert (await operator.get(f"{CASES}/{draft['id']}")).status_code == 404
    assert (await operator.get(f"{CASES}/search", q=draft["number"])).json() == []


async def test_its_agency_reads_it_whole_and_is_recorded(
    operator: OfficerAtWork, people: People, tables: Tables
) -> None:
    citizen = await people.make(name="Wulan Prameswari")
    handed = await hand_in(citizen)
    shown = (await operator.get(f"{CASES}/{handed['id']}")).json()
    assert shown["applicant"]["name"] == "Wulan Prameswari"
    assert citizen.person.nik not in json.dumps(shown)
    assert (shown["form"]["purpose"], len(shown["attachments"])) == (WORDS, 1)
    looked = "SELECT fields FROM audit_rows WHERE action = 'case.read' AND subject_id = $1 AND actor_id = $2"
    assert [row["fields"] for row in await tables.rows(looked, citizen.id, str(operator.id))]
    file = await operator.get(f"{CASES}/{handed['id']}/attachments/{shown['attachments'][0]['id']}")
    assert (file.content[:5], file.headers["content-disposition"][:10]) == (b"%PDF-", "attachment")
    opened = "SELECT count(*) FROM audit_rows WHERE action = 'case.file_read' AND subject_id = $1"
    assert await tables.value(opened, citizen.id) == 1


@pytest.mark.parametrize("role", ["city_admin", "auditor"])
async def test_the_city_sees_that_there_is_a_case_and_not_whose(
    officers: Officers, people: People, role: Any, tables: Tables
) -> None:
    citizen, officer = await people.make(name="Rahasia Sekali"), await officers.make(role)
    handed = await hand_in(citizen)
    assert handed["number"] in await numbers(officer, agency="dpmptsp")
    assert handed["number"] not in await numbers(officer, agency="dinkes")
    answer = await officer.get(f"{CASES}/{handed['id']}")
    assert "Rahasia" not in answer.text
    assert WORDS not in answer.text
    shown = answer.json()
    assert (shown["applicant"], shown["form"], shown["attachments"], shown["messages"], shown["may"]) == (
        None,
        None,
        [],
        [],
        [],
    )
    assert shown["timeline"][0]["kind"] == "submitted"
    looked = "SELECT count(*) FROM audit_rows WHERE subject_id = $1 AND actor_id = $2"
    assert await tables.value(looked, citizen.id, str(officer.id)) == 0


async def test_another_agency_sees_nothing(officers: Officers, case: dict[str, Any], people: People) -> None:
    other = await officers.make("supervisor", "dinkes")
    assert case["number"] not in await numbers(other)
    assert case["number"] not in await numbers(other, agency="dpmptsp")
    assert (await other.get(f"{CASES}/{case['id']}")).status_code == 404
    assert (await other.get(f"{CASES}/search", q=case["number"])).json() == []
    given = await other.post(f"{CASES}/assign", {"case_ids": [case["id"]], "officer_id": str(other.id)})
    assert given.json() == {"assigned": [], "refused": [{"id": case["id"], "code": "case_not_found"}]}


async def test_searching_is_recorded(operator: OfficerAtWork, people: People, tables: Tables) -> None:
    citizen = await people.make()
    handed = await hand_in(citizen)
    await tables.run("UPDATE cases SET agency_reference = 'REG 77/1' WHERE id::text = $1", handed["id"])
    for q in (handed["number"], "REG 77/1"):
        found = (await operator.get(f"{CASES}/search", q=q)).json()
        assert [each["number"] for each in found] == [handed["number"]]
    found = (await operator.post(f"{CASES}/search-citizen", {"nik": citizen.person.nik})).json()
    assert [each["number"] for each in found] == [handed["number"]]
    assert (await operator.post(f"{CASES}/search-citizen", {"nik": "3571010101010001"})).json() == []
    wanted = "SELECT object_id, subject_id FROM audit_rows WHERE action = 'case.searched' AND actor_id = $1 ORDER BY id"
    rows = [tuple(row.values()) for row in await tables.rows(wanted, str(operator.id))]
    assert rows == [("number", None), ("reference", None), ("nik", citizen.id), ("nik", None)]
    assert citizen.person.nik not in str(await tables.rows("SELECT * FROM audit_rows"))


async def test_operators_take_and_supervisors_give(
    officers: Officers, operator: OfficerAtWork, supervisor: OfficerAtWork, case: dict[str, Any]
) -> None:
    colleague, elsewhere = await officers.make("operator"), await officers.make("operator", "dinkes")
    one = {"case_ids": [case["id"]]}

    async def give(by: OfficerAtWork, to: OfficerAtWork | None) -> Any:
        return await by.post(f"{CASES}/assign", one | {"officer_id": str(to.id) if to else None})

    assert (await give(operator, colleague)).json()["code"] == "case_assigned_by_supervisor"
    assert (await give(operator, operator)).json()["assigned"] == [case["id"]]
    assert (await give(colleague, colleague)).json()["refused"][0]["code"] == "case_not_yours"
    assert (await give(colleague, None)).json()["refused"][0]["code"] == "case_not_yours"
    assert (await give(supervisor, elsewhere)).json()["code"] == "officer_not_here"
    assert (await give(supervisor, colleague)).json()["assigned"] == [case["id"]]
    shown = (await supervisor.get(f"{CASES}/{case['id']}")).json()
    assert [(each["kind"], each["target"]) for each in shown["work"]] == [
        ("assigned", colleague.name),
        ("assigned", operator.name),
    ]
    assert (await give(colleague, None)).json()["assigned"] == [case["id"]]


async def test_notes_are_for_who_works_on_it_and_sealed(
    operator: OfficerAtWork, case: dict[str, Any], tables: Tables
) -> None:
    note = {"words": "Berkas asli sudah diperiksa."}
    assert (await operator.post(f"{CASES}/{case['id']}/notes", note)).json()["code"] == "case_not_yours"
    assert await tables.value("SELECT count(*) FROM case_work WHERE case_id::text = $1", case["id"]) == 0
    await operator.post(f"{CASES}/assign", {"case_ids": [case["id"]], "officer_id": str(operator.id)})
    assert (await operator.post(f"{CASES}/{case['id']}/notes", note)).status_code == 204
    shown = (await operator.get(f"{CASES}/{case['id']}")).json()
    assert shown["work"][0]["words"] == note["words"]
    assert "asli" not in str(await tables.rows("SELECT * FROM case_work"))


async def test_a_question_reaches_the_citizen_and_only_one_at_a_time(
    supervisor: OfficerAtWork, people: People, tables: Tables
) -> None:
    citizen: Citizen = await people.make()
    handed = await hand_in(citizen)
    asked = {"question": "Berapa tinggi tiangnya?"}
    assert (await supervisor.post(f"{CASES}/{handed['id']}/questions", asked)).status_code == 204
    seen = (await citizen.get(f"/v1/cases/{handed['id']}")).json()
    assert (seen["status"], seen["question"]) == ("needs_citizen", asked["question"])
    assert any("Berapa tinggi" in each["text"] for each in (await citizen.get("/v1/inbox")).json()["items"])
    again = await supervisor.post(f"{CASES}/{handed['id']}/questions", asked)
    assert (again.status_code, again.json()["code"]) == (409, "case_asks_already")
    shown = (await supervisor.get(f"{CASES}/{handed['id']}")).json()
    assert (shown["question"], shown["work"][0]["kind"]) == (asked["question"], "asked")
    assert any("Berapa tinggi" in each["text"] for each in shown["messages"])
    assert "Berapa" not in str(await tables.rows("SELECT data FROM case_events"))
    await tables.run("UPDATE cases SET status = 'completed' WHERE id::text = $1", handed["id"])
    ended = await supervisor.post(f"{CASES}/{handed['id']}/questions", asked)
    assert (ended.status_code, ended.json()["code"]) == (409, "case_past_asking")


async def test_the_agencys_system_is_asked_before_its_turn(
    operator: OfficerAtWork, case: dict[str, Any], tables: Tables
) -> None:
    refused = await operator.post(f"{CASES}/{case['id']}/refresh")
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_asked_after")
    later = datetime.now(UTC) + timedelta(hours=3)
    await tables.run("UPDATE cases SET next_refresh_at = $2 WHERE id::text = $1", case["id"], later)
    answer = await operator.post(f"{CASES}/{case['id']}/refresh")
    assert answer.status_code == 202
    due = await tables.value("SELECT next_refresh_at <= now() FROM cases WHERE id::text = $1", case["id"])
    assert due


async def test_filters_are_kept_by_name(operator: OfficerAtWork, officers: Officers) -> None:
    view = {"name": "Terlambat", "filters": {"clock": "late"}}
    kept = (await operator.post("/v1/officer/views", view)).json()
    changed = (await operator.post("/v1/officer/views", view | {"filters": {"status": "submitted"}})).json()
    assert changed["id"] == kept["id"]
    assert (await operator.get("/v1/officer/views")).json()["items"] == [changed]
    other = await officers.make("operator")
    assert (await other.get("/v1/officer/views")).json() == {"items": []}
    assert (await other.client.delete(f"/v1/officer/views/{kept['id']}")).status_code == 404
    for name in range(29):
        assert (await operator.post("/v1/officer/views", view | {"name": f"n{name}"})).status_code == 200
    full = await operator.post("/v1/officer/views", view | {"name": "one more"})
    assert (full.status_code, full.json()["code"]) == (409, "views_too_many")
    assert (await operator.post("/v1/officer/views", view | {"filters": {"nik": "1"}})).status_code == 422
    assert (await operator.client.delete(f"/v1/officer/views/{kept['id']}")).status_code == 204


async def test_a_clock_stands_while_the_citizen_is_asked(
    operator: OfficerAtWork, case: dict[str, Any], people: People, tables: Tables, product: Product
) -> None:
    past = today(ZONE) - timedelta(days=3)
    await tables.run("UPDATE cases SET due_on = $2, status = 'needs_citizen' WHERE id::text = $1", case["id"], past)
    for clock in ("late", "soon_late"):
        assert case["number"] not in await numbers(operator, clock=clock)
    [shown] = [each for each in (await operator.get(CASES)).json()["items"] if each["number"] == case["number"]]
    assert (shown["due_on"], shown["days_left"], shown["clock"]) == (past.isoformat(), None, None)
    await escalate(product.cases)
    raised = "SELECT count(*) FROM case_escalations WHERE case_id::text = $1"
    assert await tables.value(raised, case["id"]) == 0
    await tables.run("UPDATE cases SET status = 'in_review' WHERE id::text = $1", case["id"])
    assert case["number"] in await numbers(operator, clock="late")
    await escalate(product.cases)
    assert await tables.value(raised, case["id"]) == 1


async def test_a_day_that_has_moved_on_comes_near_once_more(
    case: dict[str, Any], tables: Tables, product: Product
) -> None:
    day, raised = today(ZONE), "SELECT stage, seen_at IS NULL AS new FROM case_escalations WHERE case_id::text = $1"
    for due, expected in (
        (due_on(day, 1), [{"stage": "soon_late", "new": True}]),
        (due_on(day, 9), []),
        (due_on(day, 2), [{"stage": "soon_late", "new": True}]),
    ):
        await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = $1", case["id"], due)
        await escalate(product.cases)
        assert await tables.rows(raised, case["id"]) == expected


async def test_clocks_are_put_before_supervisors_once(
    supervisor: OfficerAtWork, officers: Officers, people: People, tables: Tables, product: Product
) -> None:
    citizen = await people.make()
    late, ancient = await hand_in(citizen), await hand_in(citizen)
    day = today(ZONE)
    await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = $1", late["id"], day - timedelta(days=4))
    await tables.run("UPDATE cases SET due_on = $2 WHERE id::text = $1", ancient["id"], day - timedelta(days=400))
    assert await escalate(product.cases) >= 2
    assert await escalate(product.cases) == 0
    seen = (await citizen.get(f"/v1/cases/{late['id']}")).json()
    assert [each["kind"] for each in seen["timeline"]].count("late") == 1
    inbox = [each["text"] for each in (await citizen.get("/v1/inbox")).json()["items"]]
    assert [late["number"] in each for each in inbox].count(True) == 1, inbox
    assert not [each for each in inbox if ancient["number"] in each], "no message years later"
    listed = (await supervisor.get("/v1/officer/escalations", limit="100")).json()["items"]
    mine = {each["number"]: each["stage"] for each in listed if each["case_id"] in (late["id"], ancient["id"])}
    assert mine == {late["number"]: "late", ancient["number"]: "late"}
    other = await officers.make("supervisor", "dinkes")
    assert (await other.get("/v1/officer/escalations")).json()["items"] == []
    body = {"case_ids": [late["id"], ancient["id"]]}
    assert (await other.post("/v1/officer/escalations/seen", body)).json() == {"seen": 0}
    assert (await supervisor.post("/v1/officer/escalations/seen", body)).json() == {"seen": 2}
    left = (await supervisor.get("/v1/officer/escalations", limit="100")).json()["items"]
    assert not [each for each in left if each["case_id"] in body["case_ids"]]

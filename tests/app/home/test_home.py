"""A citizen's home over every module: each part as it is known, whatever becomes of the others."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from app.login.guards import ACTING_FOR
from services.health import actions as health_actions
from services.health import queues
from services.health import views as health_views
from services.social_aid import entitlements
from tests.harness.acting import PERMIT, TICKET
from tests.harness.aid import BUDI, CHILDREN, HENDRA, RAHMAT, siti
from tests.harness.cases import hand_in, new_key
from tests.harness.people import Citizen, People
from tests.harness.product import Sandboxes
from tests.harness.tables import Tables
from tests.harness.tickets import open_day, take

PATH = "/v1/home"
BOOKINGS, AID = "health.bookings", "social_aid.entitlements"
PARTS = ["cases", BOOKINGS, AID, "messages"]
_ASKED = "SELECT * FROM audit_rows WHERE action = 'social_aid.asked' AND subject_id = $1"
_LOOKED_AT = "SELECT * FROM audit_rows WHERE action = 'social_aid.read' AND subject_id = $1"
_MESSAGE = """
INSERT INTO messages (id, citizen_id, key, params) VALUES (gen_random_uuid(), $1, 'inbox.case_completed', $2::jsonb)
"""


@pytest.fixture(autouse=True)
def agencies(sandboxes: Sandboxes) -> Sandboxes:
    return sandboxes


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What agencies told is old at once, and after a failure they are asked again at once."""
    monkeypatch.setattr(entitlements, "FRESH_S", 0.05)
    monkeypatch.setattr(entitlements, "ASKED_MEANWHILE_S", 0.0)
    monkeypatch.setattr(queues, "FRESH_S", 0.05)


@pytest.fixture
def on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day on which tickets are taken for is today."""

    def today_at(_: object) -> date:
        return open_day()

    monkeypatch.setattr(health_actions, "today_at", today_at)
    monkeypatch.setattr(health_views, "today_at", today_at)


async def home(citizen: Citizen, **headers: str) -> dict[str, dict[str, Any]]:
    """The parts by name."""
    answer = await citizen.client.get(PATH, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return {part["name"]: part for part in answer.json()["parts"]}


async def settled(citizen: Citizen, aid: str = "fresh", bookings: str = "fresh") -> dict[str, dict[str, Any]]:
    """The parts, once all are fresh but those that are to be otherwise: a loaded machine's may be late for a while."""
    wanted = dict.fromkeys(PARTS, "fresh") | {AID: aid, BOOKINGS: bookings}
    parts: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        while {name: part["state"] for name, part in parts.items()} != wanted:
            parts = await home(citizen)
            await asyncio.sleep(0.05)
    return parts


async def test_every_module_shows_what_it_has(people: People, tables: Tables) -> None:
    citizen = await siti(people)
    first, second = await hand_in(citizen), await hand_in(citizen)
    asked = "UPDATE cases SET status = 'needs_citizen', question = 'Di mana?' WHERE id = $1"
    await tables.run(asked, UUID(first["id"]))
    ticket = await take(citizen)
    await tables.run(_MESSAGE, citizen.id, '{"number": "K-1"}')
    parts = await settled(citizen)
    assert list(parts) == PARTS
    assert all(part["as_of"] and part["title"] and part["reason"] is None for part in parts.values())
    cases = parts["cases"]["items"]
    assert [each["id"] for each in cases] == [first["id"], ticket["id"], second["id"]]
    assert cases[0]["next_action"]["code"] == "answer"
    [booking] = parts[BOOKINGS]["items"]
    assert (booking["case_id"], booking["on"]) == (ticket["id"], open_day().isoformat())
    assert booking["code"]
    assert "Balowerti" in booking["place"]
    assert (await citizen.get(booking["link"])).status_code == 200
    aid = parts[AID]["items"]
    assert "Program Sembako" in {each["title"] for each in aid}
    assert all(each["state_text"] for each in aid)
    assert "inbox.case_completed" in {each["key"] for each in parts["messages"]["items"]}
    english = await home(citizen, **{"Accept-Language": "en"})
    assert (parts["cases"]["title"], english["cases"]["title"]) == ("Permohonan Anda", "Your cases")


async def test_what_was_read_or_is_over_is_not_there(people: People, tables: Tables) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await tables.run(_MESSAGE, citizen.id, '{"number": "K-2"}')
    before = await settled(citizen)
    assert len(before["cases"]["items"]) == 1
    [message] = before["messages"]["items"]
    await citizen.post(f"/v1/inbox/{message['id']}/read", None)
    await citizen.post(case["links"]["withdraw"], {})
    after = await settled(citizen)
    assert after["cases"]["items"] == []
    assert message["id"] not in [each["id"] for each in after["messages"]["items"]]


async def test_no_household_is_an_answer_too(people: People) -> None:
    part = (await settled(await people.make(nik=RAHMAT, name="Rahmat")))[AID]
    assert (part["items"], part["reason"]) == ([], None)


async def test_who_is_not_proven_is_told_so_in_that_part_alone(people: People, tables: Tables) -> None:
    citizen = await people.make(assurance_level=1)
    await hand_in(citizen)
    refused = (await settled(citizen, aid="failed"))[AID]
    assert (refused["state"], refused["items"], refused["as_of"]) == ("failed", None, None)
    assert refused["reason"]["code"] == "assurance_level_too_low"
    assert (refused["reason"]["params"], refused["reason"]["retry_after_s"]) == ({"level": 2}, None)
    assert refused["reason"]["text"]
    assert await tables.rows(_ASKED, citizen.id) == []


async def test_a_hanging_agency_keeps_nobody_waiting(people: People, agencies: Sandboxes) -> None:
    citizen = await people.make()
    await hand_in(citizen)
    async with agencies.bench("dtsen") as bench:
        await bench.fault("hang")
        # Whoever waited for it would be told that it failed, once its budget was spent.
        parts = await settled(citizen, aid="late")
        await bench.heal()
    assert (parts[AID]["items"], parts[AID]["as_of"], parts[AID]["reason"]) == (None, None, None)
    assert parts["cases"]["items"]


async def test_what_a_late_part_asked_for_is_there_for_the_next_ask(
    people: People, agencies: Sandboxes, tables: Tables
) -> None:
    citizen = await people.make(nik=BUDI, name="Budi Santoso")
    async with agencies.bench("dtsen") as bench:
        await bench.fault("ok", latency_ms=1000)
        assert (await home(citizen))[AID]["state"] == "late"
        parts = await settled(citizen)
        await bench.heal()
    assert parts[AID]["items"]
    assert len(await tables.rows(_ASKED, citizen.id)) == 1


@pytest.mark.parametrize("mode", ["error_503", "hang"])
@pytest.mark.usefixtures("short_memory")
async def test_with_the_agency_down_its_last_word_is_shown_with_its_age(
    people: People, agencies: Sandboxes, mode: str
) -> None:
    known = await people.make(nik=CHILDREN[mode == "hang"], name="Anak")
    fresh = (await settled(known))[AID]
    async with agencies.bench("dtsen") as bench:
        await bench.fault(mode)
        old = (await settled(known, aid="stale"))[AID]
        again = (await settled(known, aid="stale"))[AID]
        await bench.heal()
    assert old["items"] == fresh["items"]
    assert datetime.fromisoformat(fresh["as_of"]) <= datetime.fromisoformat(old["as_of"]) < datetime.now(UTC)
    assert again["as_of"] == old["as_of"], "asked in vain, it is as old as before"


async def test_without_a_last_word_it_has_failed_and_says_why(people: People, agencies: Sandboxes) -> None:
    citizen = await people.make()
    async with agencies.bench("dtsen") as bench:
        await bench.fault("error_503")
        failed = (await settled(citizen, aid="failed"))[AID]
        await bench.heal()
    assert (failed["items"], failed["as_of"]) == (None, None)
    assert failed["reason"]["code"] == "agency_unavailable"
    assert failed["reason"]["retry_after_s"] > 0


@pytest.mark.usefixtures("on_the_day", "short_memory")
async def test_on_the_day_a_ticket_has_its_queue_and_without_it_is_still_there(
    people: People, agencies: Sandboxes
) -> None:
    citizen = await people.make()
    case = await take(citizen)
    [now] = (await settled(citizen))[BOOKINGS]["items"]
    assert now["case_id"] == case["id"]
    assert now["now_serving"] is not None
    async with agencies.bench("antrean_fktp") as bench:
        await bench.fault("hang")
        [held] = (await settled(citizen, bookings="stale"))[BOOKINGS]["items"]
        await bench.heal()
    assert held["code"] == now["code"]


async def test_two_citizens_see_their_own_alone(people: People, tables: Tables) -> None:
    one, other = [await people.make(nik=nik, name="Warga") for nik in (HENDRA, "3571015203889034")]
    cases = [await hand_in(one), await hand_in(other)]
    for citizen in (one, other):
        await tables.run(_MESSAGE, citizen.id, '{"number": "K-3"}')
    shown = [await settled(one), await settled(other)]
    for parts, mine, theirs in ((shown[0], *cases), (shown[1], *reversed(cases))):
        assert mine["id"] in str(parts)
        assert theirs["id"] not in str(parts)
    messages = [{each["id"] for each in parts["messages"]["items"]} for parts in shown]
    assert not messages[0] & messages[1]


async def test_each_look_at_a_household_is_on_record(people: People, tables: Tables) -> None:
    husband, wife = [await people.make(nik=nik, name="Warga") for nik in ("3571030404989036", "3571036011009003")]
    await settled(wife)
    [asked] = await tables.rows(_ASKED, wife.id)
    assert (asked["actor_id"], asked["object_id"]) == (str(wife.id), "dinsos")
    looks = await tables.rows(
        "SELECT * FROM audit_rows WHERE action = 'social_aid.read' AND subject_id = $1", husband.id
    )
    assert {(look["actor_id"], look["fields"]) for look in looks} == {(str(wife.id), '["entitlements"]')}


async def granted(subject: Citizen, delegate: Citizen, services: list[str]) -> str:
    wanted = {"nik": subject.person.nik, "relation": "elder", "services": services, "days": 30}
    asked = (await delegate.post("/v1/me/delegations", wanted, new_key())).json()
    assert (await subject.post(f"/v1/me/delegations/{asked['id']}/grant", None)).status_code == 204
    return str(asked["id"])


async def test_who_acts_for_somebody_sees_what_the_delegation_covers(people: People, tables: Tables) -> None:
    subject, delegate = await people.make(), await people.make()
    permit, ticket = await hand_in(subject), await take(subject)
    own = await hand_in(delegate)
    for service, shown, hidden in ((PERMIT, permit, ticket), (TICKET, ticket, permit)):
        delegation = await granted(subject, delegate, [service])
        parts = await home(delegate, **{ACTING_FOR: delegation})
        assert list(parts) == (["cases"] if service == PERMIT else ["cases", "health.bookings"])
        assert shown["id"] in str(parts)
        assert hidden["id"] not in str(parts)
        assert own["id"] not in str(parts)
        [row] = await tables.rows(
            "SELECT * FROM audit_rows WHERE object_id = $1 AND action = 'delegate.read'", delegation
        )
        assert (row["subject_id"], row["actor_id"]) == (subject.id, str(delegate.id))
        listening = {ACTING_FOR: delegation, "Accept": "text/event-stream"}
        refused = await delegate.client.get(PATH, headers=listening)
        assert (refused.status_code, refused.json()["code"]) == (403, "acting_not_allowed")


async def test_what_is_asked_for_otherwise_is_not_to_be_had(citizen: Citizen) -> None:
    answer = await citizen.client.get(PATH, headers={"Accept": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")

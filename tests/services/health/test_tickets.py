"""Tickets end to end: given at once or refused in clear words, watched, cancelled, and never two."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.sandbox.client import HttpWorkbench
from services.health.facilities import today_at
from tests.harness.cases import new_key, send_pdf, until
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes
from tests.harness.tickets import (
    HOSPITAL,
    PUSKESMAS,
    ask,
    card_number,
    facility,
    hospital_form,
    once_open,
    open_day,
    take,
    ticket_form,
)

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    """The hand on the puskesmas' systems, healed after each test."""
    async with sandboxes.bench("antrean_fktp") as held:
        yield held
        await held.heal()


@pytest.fixture
async def somebody(people: People) -> Citizen:
    return await people.make()


async def test_a_ticket_is_given_at_once(somebody: Citizen, bench: HttpWorkbench) -> None:
    case = await take(somebody)
    assert (case["status"], case["status_text"]) == ("in_review", "Tiket berlaku")
    assert case["delivery"]["state"] == "delivered"
    assert case["due_at"] is None, "a ticket for another day is late for nobody"
    watched = (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()
    assert watched["ticket_number"].startswith("A")
    assert (watched["facility"], watched["clinic"], watched["state"]) == (PUSKESMAS, "001", "fresh")
    effects = [effect for effect in await bench.ledger() if effect.reference == case["number"]]
    assert [effect.operation for effect in effects] == ["take"]


async def test_the_queue_is_seen_to_move(somebody: Citizen, bench: HttpWorkbench) -> None:
    case = await take(somebody)
    first = (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()
    await bench.work()
    await asyncio.sleep(5.1)
    later = (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()
    assert later["now_serving"] != first["now_serving"]
    assert later["before"] is not None
    assert later["as_of"] > first["as_of"]


async def test_the_same_key_gives_the_same_ticket(somebody: Citizen, bench: HttpWorkbench) -> None:
    form, key = ticket_form(), new_key()
    first, again = await ask(somebody, form, key), await ask(somebody, form, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_second_ticket_for_the_day_is_refused_with_the_first_ones_number(somebody: Citizen) -> None:
    form = ticket_form()
    first = (await ask(somebody, form)).json()
    second = await ask(somebody, form)
    assert (second.status_code, second.json()["code"]) == (409, "case_exists")
    assert first["number"] in second.json()["detail"]


async def test_two_phones_at_once_get_one_ticket(somebody: Citizen, bench: HttpWorkbench) -> None:
    form = ticket_form()
    answers = await asyncio.gather(*(ask(somebody, form) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    [given] = [answer.json() for answer in answers if answer.status_code == 201]
    effects = [effect for effect in await bench.ledger() if effect.operation == "take"]
    assert sum(effect.reference == given["number"] for effect in effects) == 1


async def test_cancelled_at_the_facility_and_free_to_take_again(somebody: Citizen, bench: HttpWorkbench) -> None:
    form = ticket_form()
    case = (await ask(somebody, form)).json()
    gone = await somebody.post(f"/v1/cases/{case['id']}/withdraw", {"reason": "Sudah sembuh"}, key=new_key())
    assert (gone.status_code, gone.json()["status"]) == (200, "withdrawn")
    operations = [effect.operation for effect in await bench.ledger() if effect.reference == case["number"]]
    assert operations == ["take", "cancel"]
    assert (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()["code"] == "ticket_not_there"
    assert (await ask(somebody, form)).status_code == 201


async def test_where_the_facility_cannot_cancel_the_ticket_stands(somebody: Citizen, bench: HttpWorkbench) -> None:
    case = await take(somebody)
    await bench.fault("error_503")
    refused = await somebody.post(f"/v1/cases/{case['id']}/withdraw", {}, key=new_key())
    assert (refused.status_code, refused.json()["code"]) == (503, "agency_unavailable")
    assert (await somebody.get(f"/v1/cases/{case['id']}")).json()["status"] == "in_review"
    await bench.heal()
    again = await once_open(lambda: somebody.post(f"/v1/cases/{case['id']}/withdraw", {}, key=new_key()))
    assert again.json()["status"] == "withdrawn"


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"visit_on": "2026-01-05"}, "/form/visit_on", "visit_in_past"),
        ({"visit_on": "2029-01-08"}, "/form/visit_on", "visit_too_far"),
        ({"clinic": "999"}, "/form/clinic", "clinic_not_here"),
        ({"facility": "puskesmas-nowhere"}, "/form/facility", "enum"),
        ({"consent": False}, "/form/consent", "not_accepted"),
        ({"card_number": "123"}, "/form/card_number", "pattern"),
    ],
)
async def test_what_cannot_be_is_said_before_anybody_is_asked(
    somebody: Citizen, bench: HttpWorkbench, changed: dict[str, object], pointer: str, code: str
) -> None:
    before = len(await bench.ledger())
    answer = await ask(somebody, ticket_form() | changed)
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]) == (pointer, code)
    assert len(await bench.ledger()) == before


async def test_a_closed_day_is_refused(somebody: Citizen) -> None:
    place = facility(PUSKESMAS)
    week = [today_at(place) + timedelta(days=ahead) for ahead in range(1, 8)]
    [sunday] = [day for day in week if day.isoweekday() == 7]
    answer = await ask(somebody, ticket_form(visit_on=sunday.isoformat()))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "facility_closed"


async def test_an_unknown_patient_is_told_then_registered_in_one_step(people: People, bench: HttpWorkbench) -> None:
    stranger = await people.make(nik="3571010101759004", name="Rahmat")
    form = ticket_form(doctor="145041", hours="07:30-12:30", facility="puskesmas-sukorame")
    refused = await ask(stranger, form)
    assert (refused.status_code, refused.json()["code"]) == (409, "agency_refused")
    assert refused.json()["params"]["reason_code"] == "patient_unknown"
    assert "pasien baru" in refused.json()["detail"]
    given = await ask(stranger, form | newcomer())
    assert given.status_code == 201, given.text
    effects = [effect.operation for effect in await bench.ledger() if effect.reference == given.json()["number"]]
    assert effects == ["register", "take"]
    consents = (await stranger.get("/v1/me/consents")).json()["items"]
    assert {each["purpose"] for each in consents if each["case_id"] == given.json()["id"]} == {
        "health-ticket",
        "health-registration",
    }


async def test_a_family_member_needs_the_family_card(somebody: Citizen) -> None:
    family = {
        "patient": "family",
        "family_nik": "3571021503150001",
        "family_name": "Anak Uji",
        "family_birth_date": "2015-03-15",
    }
    without = await ask(somebody, ticket_form(**family))
    assert without.json()["errors"][0] | {"detail": ""} == {
        "pointer": "/form/family_card",
        "code": "required",
        "detail": "",
    }
    given = await ask(somebody, ticket_form(**family, family_card=await send_pdf(somebody)))
    assert given.status_code == 201, given.text
    own = await ask(somebody, ticket_form(card_number=card_number()))
    assert own.status_code == 201, own.text


async def test_somebody_elses_ticket_for_the_same_person_is_not_named(people: People) -> None:
    mother, father = await people.make(), await people.make()
    child = {
        "patient": "family",
        "family_nik": "3571021503150002",
        "family_name": "Anak Uji",
        "family_birth_date": "2015-03-15",
        "card_number": card_number(),
    }
    first = await ask(mother, ticket_form(**child, family_card=await send_pdf(mother)))
    assert first.status_code == 201, first.text
    second = await ask(father, ticket_form(**child, family_card=await send_pdf(father)))
    assert (second.status_code, second.json()["code"]) == (409, "case_exists_elsewhere")
    assert first.json()["number"] not in second.text
    assert (await father.get(f"/v1/health/tickets/{first.json()['id']}")).status_code == 404


async def test_a_lost_answer_is_found_and_shown(somebody: Citizen, bench: HttpWorkbench) -> None:
    await bench.fault("lost_answer", ["take"])
    answer = await ask(somebody, ticket_form())
    assert answer.status_code == 202
    assert answer.json()["delivery"]["state"] == "delivering"
    await bench.heal()
    case = await until(somebody, answer.json()["id"], lambda shown: shown["delivery"]["state"] == "delivered")
    assert case["status"] == "in_review"
    watched = (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()
    assert watched["ticket_number"]
    takes = [effect for effect in await bench.ledger() if effect.operation == "take"]
    assert sum(effect.reference == case["number"] for effect in takes) == 1


async def test_a_lost_answer_of_a_hospital_that_cannot_look_up(somebody: Citizen, sandboxes: Sandboxes) -> None:
    async with sandboxes.bench("antrean_rs") as hospital:
        await hospital.fault("lost_answer", ["take"])
        answer = await ask(somebody, hospital_form())
        assert answer.status_code == 202, answer.text
        await hospital.heal()
        case = await until(somebody, answer.json()["id"], lambda shown: shown["delivery"]["state"] == "delivered")
        watched = (await somebody.get(f"/v1/health/tickets/{case['id']}")).json()
        assert watched["ticket_number"] is None
        assert watched["missing"]["ticket_number"] == "not_told"
        assert "loket" in watched["advice"]
        takes = [effect for effect in await hospital.ledger() if effect.operation == "take"]
        assert sum(effect.reference == case["number"] for effect in takes) == 1


async def test_a_facility_that_is_out_of_reach_is_said_at_once_and_nothing_is_kept(
    somebody: Citizen, bench: HttpWorkbench
) -> None:
    await bench.fault("error_503")
    form, key = ticket_form(), new_key()
    answer = await ask(somebody, form, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "agency_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    case = (await somebody.get(f"/v1/cases/{answer.json()['params']['case_id']}")).json()
    assert (case["status"], case["delivery"]["state"]) == ("expired", "rejected")
    await bench.heal()
    again = await once_open(lambda: ask(somebody, form, key))
    assert again.status_code == 201, again.text


async def test_a_hanging_facility_answers_in_time_and_hurts_no_other(
    somebody: Citizen, people: People, bench: HttpWorkbench, sandboxes: Sandboxes
) -> None:
    other = await people.make()
    await bench.fault("hang")
    begun = asyncio.get_running_loop().time()
    answer, hospital = await asyncio.gather(ask(somebody, ticket_form()), ask(other, hospital_form()))
    took_s = asyncio.get_running_loop().time() - begun
    assert answer.status_code in (202, 503)
    assert hospital.status_code == 201, hospital.text
    assert took_s < 6
    await bench.heal()
    await once_open(lambda: ask(other, ticket_form()))


async def test_a_hospital_ticket_is_checked_in_on_its_day_only(somebody: Citizen) -> None:
    case = (await ask(somebody, hospital_form())).json()
    early = await somebody.post(f"/v1/health/tickets/{case['id']}/check-in", None)
    assert (early.status_code, early.json()["code"]) == (409, "check_in_not_today")


async def test_clinics_tell_doctors_hours_and_what_is_left(somebody: Citizen) -> None:
    listed = (await somebody.get("/v1/health/facilities")).json()["items"]
    assert {each["id"] for each in listed} >= {PUSKESMAS, HOSPITAL}
    shown = (
        await somebody.get(f"/v1/health/facilities/{HOSPITAL}/clinics", date=open_day(HOSPITAL).isoformat())
    ).json()
    [internal] = [clinic for clinic in shown["items"] if clinic["code"] == "INT"]
    assert internal["state"] == "fresh"
    assert internal["sessions"][0]["tickets_left"] is not None
    shown = (await somebody.get(f"/v1/health/facilities/{PUSKESMAS}/clinics", date=open_day().isoformat())).json()
    [general] = [clinic for clinic in shown["items"] if clinic["code"] == "001"]
    assert {session["doctor"] for session in general["sessions"]} == {"145011", "145012"}
    assert general["sessions"][0]["tickets_left"] is None
    assert general["sessions"][0]["missing"]["tickets_left"] == "not_told"


@pytest.mark.parametrize("written", ["null", "", "2026-13-01", "21-11-2026", "20261121", "2026-11-21T00:00:00"])
async def test_what_is_no_day_is_refused(somebody: Citizen, written: str) -> None:
    answer = await somebody.get(f"/v1/health/facilities/{PUSKESMAS}/clinics", date=written)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/query/date")


async def test_without_a_day_it_is_today_there(somebody: Citizen) -> None:
    shown = (await somebody.get(f"/v1/health/facilities/{PUSKESMAS}/clinics")).json()
    assert shown["date"] == today_at(facility(PUSKESMAS)).isoformat()


async def test_the_complaint_is_nowhere_in_the_clear(somebody: Citizen, worker: Running) -> None:
    secret = "Keluhan yang sangat rahasia"
    await take(somebody, complaint=secret)
    assert secret not in worker.output()


def newcomer() -> dict[str, object]:
    return {
        "newcomer": "yes",
        "family_card_number": "3571012001100001",
        "sex": "male",
        "address": "Jalan Dhoho 1",
        "village_code": "35.71.02.1005",
        "rt": "01",
        "rw": "02",
        "registration_consent": True,
    }

"""A ticket at a puskesmas from the question to the end, and what is refused on the way."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.errors import AgencyRejected, AgencyUnavailable, AlreadyThere, NotOffered, OutcomeUnknown
from tests.harness.patients import STRANGER, open_day, patient
from tests.integrations.antrean_fktp.conftest import BALOWERTI, DOCTOR, HOURS, SUKORAME, Town, asked, plain, session


async def test_the_queue_before_any_ticket(town: Town) -> None:
    morning, afternoon = await town.port.queues(plain())
    assert (morning.session, afternoon.session) == (session(), session(doctor="145012", hours="12:30-15:30"))
    assert (morning.clinic_name, morning.doctor_name) == ("POLI UMUM", "dr. Ratna Kusuma")
    assert (morning.tickets, morning.waiting, morning.now_serving) == (0, 0, "")
    assert morning.missing == dict.fromkeys(("quota", "quota_left", "quota_others", "quota_others_left"), "not_told")


async def test_one_queue_where_a_doctor_or_hours_are_asked_for(town: Town) -> None:
    for wanted in (session(hours=""), session(doctor=""), session()):
        [queue] = await town.port.queues(wanted)
        assert queue.session == session()
    assert await town.port.queues(session(doctor="145099")) == []


async def test_a_facility_that_tells_no_doctors_apart(town: Town) -> None:
    [queue] = await town.ports[SUKORAME].queues(session())
    assert queue.session == plain()
    ticket = await town.ports[SUKORAME].take(asked(plain()))
    assert (ticket.number, ticket.position, ticket.reference) == ("A1-1", 1, f"{open_day()}/001/A1-1")


async def test_a_ticket_from_taking_to_serving(town: Town) -> None:
    requests = [asked() for _ in range(3)]
    tickets = [await town.port.take(request) for request in requests]
    assert [ticket.number for ticket in tickets] == ["A1", "A2", "A3"]
    last, request = tickets[-1], requests[-1]
    assert (last.position, last.waiting, last.now_serving, last.clinic_name) == (3, 3, "", "POLI UMUM")
    assert last.missing == {"expected_at": "not_told"}
    assert (await town.port.place(request, last.reference)).before == 2
    await town.bench.work()
    place = await town.port.place(request, last.reference)
    assert (place.number, place.before, place.now_serving, place.missing) == ("A3", 1, "A1", {"wait_s": "not_told"})
    [queue] = await town.port.queues(session())
    assert (queue.tickets, queue.waiting, queue.now_serving) == (3, 2, "A1")
    await town.bench.work(last.reference, "call")
    assert (await town.port.place(request, last.reference)).before == 0
    await town.bench.work(last.reference)
    with pytest.raises(AgencyRejected) as served:
        await town.port.place(request, last.reference)
    assert served.value.code == "already_served"
    found = await town.port.find(request)
    assert found is not None
    assert (found.number, found.missing["number"]) == (None, "not_told")


async def test_what_is_sent(town: Town) -> None:
    request = asked(record_number="12-34")
    await town.port.take(request)
    [effect] = await town.effects("take")
    assert effect.reference == request.reference
    assert effect.data["sent"] == {
        "nomorkartu": request.card_number,
        "nik": request.nik,
        "nohp": "081234567801",
        "kodepoli": "001",
        "norm": "12-34",
        "tanggalperiksa": open_day().isoformat(),
        "keluhan": "Demam tiga hari",
        "kodedokter": DOCTOR,
        "jampraktek": HOURS,
    }


async def test_a_second_ticket_is_there_already_and_is_found(town: Town) -> None:
    request = asked()
    ticket = await town.port.take(request)
    with pytest.raises(AlreadyThere):
        await town.port.take(request)
    found = await town.port.find(request)
    assert found is not None
    assert (found.reference, found.number) == (ticket.reference, ticket.number)
    assert await town.port.find(asked()) is None
    assert len(await town.effects("take")) == 1


async def test_after_a_lost_answer_the_ticket_is_found(town: Town) -> None:
    request = asked()
    await town.bench.fault("lost_answer", ["take"])
    with pytest.raises(OutcomeUnknown):
        await town.port.take(request)
    await town.bench.heal()
    found = await town.port.find(request)
    assert found is not None
    assert found.number == "A1"
    with pytest.raises(AlreadyThere):
        await town.port.take(request)


async def test_two_phones_get_one_ticket(town: Town) -> None:
    request = asked()
    outcomes = await asyncio.gather(*(town.port.take(request) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyThere) for outcome in outcomes) == 4
    assert len(await town.effects("take")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"card_number": ""}, "card_invalid"),
        ({"card_number": "123"}, "card_invalid"),
        ({"nik": ""}, "nik_invalid"),
        ({"nik": "35710245"}, "nik_invalid"),
        ({"phone": ""}, "phone_invalid"),
        ({"complaint": ""}, "complaint_missing"),
        ({"nik": STRANGER}, "patient_unknown"),
        ({"session": session(clinic="099")}, "clinic_unknown"),
        ({"session": session(doctor="1")}, "doctor_unknown"),
        ({"session": session(day=open_day(7))}, "clinic_closed"),
        ({"session": session(day=open_day() - timedelta(days=40))}, "date_past"),
        ({"session": session(day=open_day() + timedelta(days=90))}, "date_too_far"),
    ],
    ids=str,
)
async def test_a_refusal_has_a_code_of_ours_and_no_effect(town: Town, changes: dict[str, Any], code: str) -> None:
    request = asked(**changes)
    with pytest.raises(AgencyRejected) as refused:
        await town.port.take(request)
    assert refused.value.code == code
    assert request.nik == "" or request.nik not in str(refused.value)
    assert await town.effects() == []


async def test_the_quota_ends(town: Town) -> None:
    children = session(clinic="003", doctor="145031", hours="08:00-13:00")
    outcomes = await asyncio.gather(*(town.port.take(asked(children)) for _ in range(40)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {getattr(outcome, "code", outcome) for outcome in refused} == {"quota_full"}
    assert (len(outcomes) - len(refused), len(await town.effects("take"))) == (30, 30)


async def test_a_stranger_is_registered_and_then_gets_a_ticket(town: Town) -> None:
    request = asked(nik=STRANGER)
    port = town.another(region_codes="35=13, 35.71.02=3241")
    assert await port.register(patient(request)) == ""
    [effect] = await town.effects("register")
    sent = msgspec.convert(effect.data["patient"], dict[str, str])
    assert (sent["jeniskelamin"], sent["tanggallahir"], sent["rt"]) == ("P", "1990-05-05", "002")
    regions = [(sent[f"kode{level}"], sent[f"nama{level}"]) for level in ("prop", "dati2", "kec", "kel")]
    assert [code for code, _ in regions] == ["13", "3571", "3241", "3571021005"]
    assert all(name for _, name in regions)
    assert (await town.port.take(request)).number == "A1"
    with pytest.raises(AgencyRejected) as refused:
        await town.port.register(patient(request))
    assert refused.value.code == "patient_exists"
    with pytest.raises(AgencyRejected) as refused:
        await town.port.register(patient(asked(nik="3571010101759005"), rt=""))
    assert refused.value.code == "patient_incomplete"


async def test_each_puskesmas_has_patients_and_tickets_of_its_own(town: Town) -> None:
    request = asked(plain(), nik=STRANGER)
    await town.ports[SUKORAME].register(patient(request))
    await town.ports[SUKORAME].take(request)
    with pytest.raises(AgencyRejected) as refused:
        await town.port.take(asked(nik=STRANGER))
    assert refused.value.code == "patient_unknown"
    assert await town.port.find(request) is None
    assert await town.effects(facility=BALOWERTI) == []
    assert len(await town.effects(facility=SUKORAME)) == 2


async def test_giving_a_ticket_back(town: Town) -> None:
    request = asked()
    ticket = await town.port.take(request)
    await town.port.cancel(request, ticket.reference, "Sudah sembuh")
    await town.port.cancel(request, ticket.reference, "Sudah sembuh")
    assert await town.port.find(request) is None
    with pytest.raises(AgencyRejected) as refused:
        await town.port.place(request, ticket.reference)
    assert refused.value.code == "ticket_unknown"
    [effect] = await town.effects("cancel")
    assert effect.data["why"] == "Sudah sembuh"
    assert (await town.port.take(request)).number == "A2"


async def test_what_was_served_cannot_be_given_back(town: Town) -> None:
    request = asked()
    ticket = await town.port.take(request)
    await town.bench.work(ticket.reference)
    with pytest.raises(AgencyRejected) as refused:
        await town.port.cancel(request, ticket.reference, "")
    assert refused.value.code == "already_served"
    assert await town.effects("cancel") == []


async def test_a_puskesmas_takes_no_check_in(town: Town) -> None:
    request = asked()
    ticket = await town.port.take(request)
    with pytest.raises(NotOffered):
        await town.port.check_in(request, ticket.reference)


async def test_nothing_is_said_of_a_ticket_without_a_card(town: Town) -> None:
    """It finds tickets by card: "not found" would be taken for "cancelled"."""
    uninsured = asked(card_number="")
    for asking in (town.port.find(uninsured), town.port.place(uninsured, ""), town.port.cancel(uninsured, "", "")):
        with pytest.raises(NotOffered):
            await asking


async def test_a_broken_status_leaves_the_tickets(town: Town) -> None:
    await town.bench.quirks(status="broken")
    with pytest.raises(AgencyUnavailable) as broken:
        await town.port.queues(session())
    assert broken.value.code == "backend_failed"
    request = asked(plain())
    ticket = await town.port.take(request)
    assert (await town.port.place(request, ticket.reference)).before == 0
    await town.port.cancel(request, ticket.reference, "")


async def test_one_that_hangs_leaves_the_other(town: Town) -> None:
    await town.bench.fault("hang", under=f"/{BALOWERTI}/")
    hanging = [asyncio.ensure_future(town.port.take(asked())) for _ in range(20)]
    await asyncio.sleep(0.05)
    for _ in range(10):
        assert (await town.ports[SUKORAME].take(asked(plain()))).number
    outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(outcome, AgencyUnavailable) for outcome in outcomes)

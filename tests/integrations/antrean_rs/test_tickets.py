"""A ticket at a hospital from the question to the end, and what is refused on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.errors import AgencyRejected, AgencyUnavailable, AlreadyThere, NotOffered, OutcomeUnknown
from tests.harness.patients import STRANGER, open_day, patient
from tests.integrations.antrean_rs.conftest import Hospital, asked, session


async def test_the_queue_before_any_ticket(hospital: Hospital) -> None:
    [queue] = await hospital.port.queues(session())
    assert queue.session == session()
    assert (queue.clinic_name, queue.doctor_name) == ("PENYAKIT DALAM", "dr. Ratna Wulandari, Sp.PD")
    assert (queue.tickets, queue.waiting, queue.now_serving) == (0, 0, "")
    assert (queue.quota, queue.quota_left, queue.quota_others, queue.quota_others_left) == (500, 500, 100, 100)
    assert queue.missing == {}


async def test_a_ticket_from_taking_to_serving(hospital: Hospital) -> None:
    requests = [asked() for _ in range(3)]
    tickets = [await hospital.port.take(request) for request in requests]
    assert [ticket.number for ticket in tickets] == ["A-001", "A-002", "A-003"]
    last, request = tickets[-1], requests[-1]
    assert last.reference == f"{open_day():%Y%m%d}INT0003"
    assert (last.position, last.clinic_name, last.doctor_name) == (3, "PENYAKIT DALAM", "dr. Ratna Wulandari, Sp.PD")
    assert last.expected_at == datetime.combine(open_day(), datetime.min.time(), UTC) + timedelta(hours=1, minutes=20)
    assert last.missing == {"waiting": "not_told", "now_serving": "not_told"}
    place = await hospital.port.place(request, last.reference)
    assert (place.number, place.before, place.wait_s, place.now_serving) == ("A-003", 2, 1200, "")
    await hospital.bench.work()
    place = await hospital.port.place(request, last.reference)
    assert (place.before, place.wait_s, place.now_serving, place.missing) == (1, 600, "A-001", {})
    [queue] = await hospital.port.queues(session())
    assert (queue.tickets, queue.waiting, queue.now_serving, queue.quota_left) == (3, 2, "A-001", 497)
    await hospital.bench.work(last.reference, "serve")
    with pytest.raises(AgencyRejected) as served:
        await hospital.port.place(request, last.reference)
    assert served.value.code == "already_served"


async def test_what_is_sent(hospital: Hospital) -> None:
    request = asked(record_number="12-34", visit="control")
    await hospital.port.take(request)
    [effect] = await hospital.effects("take")
    assert effect.reference == request.reference
    assert effect.data["sent"] == {
        "nomorkartu": request.card_number,
        "nik": request.nik,
        "nohp": "081234567801",
        "norm": "12-34",
        "kodepoli": "INT",
        "kodedokter": "30101",
        "tanggalperiksa": open_day().isoformat(),
        "jampraktek": "08:00-12:00",
        "jeniskunjungan": "3",
        "nomorreferensi": request.referral,
    }


async def test_a_second_ticket_is_there_already_and_cannot_be_looked_up(hospital: Hospital) -> None:
    request = asked()
    await hospital.bench.fault("lost_answer", ["take"])
    with pytest.raises(OutcomeUnknown):
        await hospital.port.take(request)
    await hospital.bench.heal()
    with pytest.raises(AlreadyThere):
        await hospital.port.take(request)
    with pytest.raises(NotOffered):
        await hospital.port.find(request)
    assert len(await hospital.effects("take")) == 1


async def test_two_phones_get_one_ticket(hospital: Hospital) -> None:
    request = asked()
    outcomes = await asyncio.gather(*(hospital.port.take(request) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyThere) for outcome in outcomes) == 4
    assert len(await hospital.effects("take")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"card_number": "123"}, "card_invalid"),
        ({"nik": ""}, "nik_invalid"),
        ({"nik": "35710245"}, "nik_invalid"),
        ({"phone": ""}, "phone_invalid"),
        ({"visit": ""}, "referral_invalid"),
        ({"referral": ""}, "referral_invalid"),
        ({"nik": STRANGER}, "patient_unknown"),
        ({"session": session(clinic="XYZ")}, "clinic_unknown"),
        ({"session": session(doctor="1")}, "doctor_unknown"),
        ({"session": session(doctor="")}, "doctor_unknown"),
        ({"session": session(hours="05:00-06:00")}, "doctor_unknown"),
        ({"session": session(day=open_day(2), doctor="30102", hours="13:00-16:00")}, "doctor_unknown"),
        ({"session": session(day=open_day(7))}, "clinic_closed"),
        ({"session": session(day=open_day() - timedelta(days=40))}, "date_past"),
        ({"session": session(day=open_day() + timedelta(days=91))}, "date_too_far"),
    ],
    ids=str,
)
async def test_a_refusal_has_a_code_of_ours_and_no_effect(
    hospital: Hospital, changes: dict[str, Any], code: str
) -> None:
    request = asked(**changes)
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.take(request)
    assert refused.value.code == code
    assert request.nik == "" or request.nik not in str(refused.value)
    assert await hospital.effects() == []


async def test_the_quotas_end_each_for_itself(hospital: Hospital) -> None:
    children = session(clinic="ANA", doctor="30201")
    insured = [asked(children) for _ in range(40)]
    others = [asked(children, card_number="", visit="", referral="") for _ in range(15)]
    for requests, quota in ((insured, 30), (others, 10)):
        outcomes = await asyncio.gather(*map(hospital.port.take, requests), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert {getattr(outcome, "code", outcome) for outcome in refused} == {"quota_full"}
        assert len(outcomes) - len(refused) == quota
    [queue] = await hospital.port.queues(children)
    assert (queue.tickets, queue.quota_left, queue.quota_others_left) == (40, 0, 0)
    assert len(await hospital.effects("take")) == 40


async def test_a_stranger_is_registered_and_then_gets_a_ticket(hospital: Hospital) -> None:
    request = asked(nik=STRANGER)
    number = await hospital.port.register(patient(request))
    assert number == "90-01-01"
    ticket = await hospital.port.take(msgspec.structs.replace(request, record_number=number))
    assert (ticket.number, ticket.record_number) == ("A-001", number)
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.register(patient(request))
    assert refused.value.code == "patient_exists"
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.register(patient(asked(nik="3571010101759005"), family_card_number=""))
    assert refused.value.code == "patient_incomplete"


async def test_giving_a_ticket_back(hospital: Hospital) -> None:
    request = asked()
    ticket = await hospital.port.take(request)
    await hospital.port.cancel(request, ticket.reference, "")
    await hospital.port.cancel(request, ticket.reference, "")
    with pytest.raises(AgencyRejected) as gone:
        await hospital.port.place(request, ticket.reference)
    assert gone.value.code == "ticket_unknown"
    [effect] = await hospital.effects("cancel")
    assert effect.data["why"] == "Dibatalkan oleh pasien"
    assert (await hospital.port.take(request)).number == "A-002"


@pytest.mark.parametrize("reference", ["", "x/../y?z", "A" * 41])
async def test_what_is_no_booking_code_is_not_asked_for(hospital: Hospital, reference: str) -> None:
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.place(asked(), reference)
    assert refused.value.code == "ticket_unknown"


async def test_check_in_twice_is_as_once(hospital: Hospital) -> None:
    request = asked()
    ticket = await hospital.port.take(request)
    await hospital.port.check_in(request, ticket.reference)
    await hospital.port.check_in(request, ticket.reference)
    assert len(await hospital.effects("check_in")) == 1
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.cancel(request, ticket.reference, "")
    assert refused.value.code == "already_served"
    with pytest.raises(AgencyRejected) as refused:
        await hospital.port.check_in(request, "20261123INT9999")
    assert refused.value.code == "ticket_unknown"


async def test_a_broken_status_leaves_the_tickets(hospital: Hospital) -> None:
    await hospital.bench.quirks(status="broken")
    with pytest.raises(AgencyUnavailable) as broken:
        await hospital.port.queues(session())
    assert broken.value.code == "backend_failed"
    request = asked()
    ticket = await hospital.port.take(request)
    assert (await hospital.port.place(request, ticket.reference)).before == 0
    await hospital.port.cancel(request, ticket.reference, "")


@pytest.mark.parametrize(("city", "utc_hour"), [("Jakarta", 1), ("Makassar", 0), ("Jayapura", 23)])
@pytest.mark.parametrize("estimate", ["number", "text", "local"])
async def test_when_to_come_in_the_hospitals_own_zone(
    hospital: Hospital, city: str, utc_hour: int, estimate: str
) -> None:
    zone = f"Asia/{city}"
    await hospital.bench.quirks(estimate=estimate, **({"zone": zone} if city != "Jakarta" else {}))
    ticket = await hospital.another(time_zone=zone).take(asked())
    assert ticket.expected_at is not None
    assert (ticket.expected_at.tzinfo, ticket.expected_at.hour) == (UTC, utc_hour)
    local = ticket.expected_at.astimezone(ZoneInfo(zone))
    assert (local.date(), local.hour, local.minute) == (open_day(), 8, 0)


async def test_no_time_to_come_is_invented(hospital: Hospital) -> None:
    await hospital.bench.quirks(estimate="none")
    ticket = await hospital.port.take(asked())
    assert (ticket.expected_at, ticket.missing["expected_at"]) == (None, "not_told")

"""Matters at the agency: lost answers, repetitions, the officers' work step by step, and a sandbox started anew."""

import asyncio
from pathlib import Path

import pytest

from app.errors import AgencyRejected, OutcomeUnknown
from app.sandbox.client import WorkbenchError
from app.sandbox.ledger import FileLedger
from integrations.dtsen.sandbox import DtsenSandbox
from tests.integrations.dtsen.conftest import BUDI, RAHMAT, SITI, Agency, objection, photo


@pytest.mark.parametrize("way", ["refused_twice", "answered_again"])
async def test_a_lost_answer_is_found_and_nothing_is_doubled(agency: Agency, way: str) -> None:
    await agency.bench.quirks(references=way)
    await agency.port.programmes()
    requests = [objection(photos=[photo()]) for _ in range(10)]
    await agency.bench.fault("lost_answer", ["submit"])
    outcomes = await asyncio.gather(*(agency.port.submit(each) for each in requests), return_exceptions=True)
    await agency.bench.heal()
    assert {type(outcome) for outcome in outcomes} == {OutcomeUnknown}
    found = [await agency.port.find(request, ()) for request in requests]
    again = [await agency.port.submit(request) for request in requests]
    assert found == again, "handed in once more, it is the same matter"
    assert sorted(await agency.handed_in()) == sorted(request.reference for request in requests)


async def test_what_never_arrived_is_not_found(agency: Agency) -> None:
    await agency.port.programmes()
    request = objection()
    await agency.bench.fault("reset", ["submit"])
    with pytest.raises(OutcomeUnknown):
        await agency.port.submit(request)
    await agency.bench.heal()
    assert await agency.port.find(request, ()) is None
    assert await agency.handed_in() == []


async def test_refusals_are_told_by_name(agency: Agency) -> None:
    for request, code in (
        (objection(applicant_nik=RAHMAT), "household_unknown"),
        (objection(applicant_nik="3571029999999001"), "nik_invalid"),
        (objection(about="programme", programme="BLT-BBM"), "programme_unknown"),
        (objection(address=""), "incomplete"),
        (objection(photos=[photo() for _ in range(6)]), "photo_refused"),
    ):
        with pytest.raises(AgencyRejected) as refused:
            await agency.port.submit(request)
        assert refused.value.code == code
    assert await agency.handed_in() == []


async def test_one_open_matter_where_the_agency_takes_no_more(agency: Agency) -> None:
    await agency.bench.quirks(open_matters="one")
    first = await agency.port.submit(objection())
    with pytest.raises(AgencyRejected) as refused:
        await agency.port.submit(objection())
    assert refused.value.code == "matter_open"
    await agency.port.submit(objection(applicant_nik=BUDI))
    await agency.port.withdraw(first.reference, "")
    await agency.port.submit(objection())


async def test_the_officers_work_step_by_step(agency: Agency) -> None:
    number = (await agency.port.submit(objection())).reference
    told = []
    for step in (None, None, "missed", "ask", "visited", "accept"):
        await agency.bench.work(number, step)
        matter = await agency.port.matter(number)
        told.append((matter.progress.status, matter.visit and matter.visit.state, bool(matter.progress.question)))
    assert told == [
        ("in_review", None, False),
        ("in_review", "planned", False),
        ("in_review", "missed", False),
        ("needs_citizen", "missed", True),
        ("needs_citizen", "done", True),
        ("completed", "done", False),
    ]
    with pytest.raises(AgencyRejected) as refused:
        await agency.port.withdraw(number, "")
    assert refused.value.code == "decided"


async def test_an_answer_and_a_withdrawal(agency: Agency) -> None:
    number = (await agency.port.submit(objection())).reference
    await agency.bench.work(number, "ask")
    question = (await agency.port.matter(number)).progress.question
    await agency.port.answer(number, question, "Buruh harian")
    assert (await agency.port.matter(number)).progress.question == ""
    await agency.port.withdraw(number, "pindah")
    await agency.port.withdraw(number, "pindah")
    assert (await agency.port.matter(number)).progress.status == "withdrawn"
    assert [each.operation for each in await agency.bench.ledger()] == ["submit", "work", "answer", "withdraw"]


async def test_work_is_by_our_reference_too_and_unknown_work_is_refused(agency: Agency) -> None:
    request = objection()
    number = (await agency.port.submit(request)).reference
    await agency.bench.work(request.reference, "visit")
    visit = (await agency.port.matter(number)).visit
    assert visit is not None
    assert visit.state == "planned"
    for reference, step in (("SGH-2026-999999", "visit"), (number, "sleep"), ("many", "import")):
        with pytest.raises(WorkbenchError):
            await agency.bench.work(reference, step)


async def test_a_sandbox_started_anew_has_lost_nothing(agency: Agency, tmp_path: Path) -> None:
    numbers = [(await agency.port.submit(objection(photos=[photo()]))).reference for _ in range(3)]
    certificate = await agency.port.submit(objection(kind="certificate", purpose="scholarship"))
    await agency.bench.work("400", "import")
    await agency.bench.work(numbers[0], "visited")
    await agency.bench.work(numbers[1], "reject")
    await agency.port.withdraw(numbers[2], "")
    await agency.bench.work(certificate.reference, "accept")
    ledger = FileLedger(tmp_path / "sandboxes" / "dtsen.jsonl")
    again = DtsenSandbox(ledger)
    ledger.open(again.apply)
    shown = [again._matter_row(again._known(number)) for number in (*numbers, certificate.reference)]
    wire = [await agency.wire.matter(number) for number in (*numbers, certificate.reference)]
    assert [(each["nomor"], each["dibatalkan"], bool(each["hasil"])) for each in shown] == [
        (each["nomor"], each["dibatalkan"], bool(each["hasil"])) for each in wire
    ]
    assert again._office.household(nik=SITI) is not None
    number = (await agency.port.matter(certificate.reference)).progress.product["certificate_number"]
    proof = await agency.port.certificate(number)
    assert proof is not None
    assert (proof.holder, proof.decile, proof.purpose) == ("Siti Aminah", 2, "Beasiswa")

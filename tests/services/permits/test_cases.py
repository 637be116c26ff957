"""The permits module's own rules, and what it hands over."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from app.cases.port import Applicant, CaseData, File, Progress, Receipt
from services.permits.cases import WIB, PermitCases, services
from services.permits.port import Licence, PermitApplication, PermitsPort

APPLICANT = Applicant(uuid4(), "3571024505909001", "Siti Aminah", date(1990, 5, 5), "+6281200009001", 2)
TODAY = datetime.now(WIB).date()


class Listening(PermitsPort):
    """A port that keeps what it was handed."""

    def __init__(self) -> None:
        self.submitted: list[PermitApplication] = []
        self.asked: list[tuple[str, ...]] = []

    async def submit(self, application: PermitApplication) -> Receipt:
        self.submitted.append(application)
        return Receipt("0001201011112026")

    async def find(self, application: PermitApplication, taken: Sequence[str]) -> Receipt | None:
        self.submitted.append(application)
        return None

    async def progress(self, reference: str) -> Progress:
        self.asked.append(("progress", reference))
        return Progress("in_review")

    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        self.asked.append(("answer", reference, question, answer))
        return Receipt(reference)

    async def withdraw(self, reference: str, reason: str) -> Receipt:
        self.asked.append(("withdraw", reference, reason))
        return Receipt(reference)

    async def licence(self, number: str) -> Licence | None:
        return None

    async def licence_number(self, reference: str) -> str:
        return ""


def billboard(**changed: object) -> dict[str, object]:
    form: dict[str, object] = {
        "kind": "new",
        "purpose": "Papan nama toko kue",
        "applicant_address": "Jl. Mawar No. 1",
        "applicant_village_code": "35.71.01.1001",
        "applicant_type": "person",
        "advert_type": "wall_sign",
        "location_village_code": "35.71.02.1001",
        "starts_on": str(TODAY + timedelta(days=10)),
        "ends_on": str(TODAY + timedelta(days=40)),
        "requirements_met": ["identity_card", "design"],
        "documents": str(uuid4()),
        "declaration": True,
    }
    return {name: value for name, value in {**form, **changed}.items() if value is not None}


def faults(form: Mapping[str, object], service: str = "outdoor-advertising") -> list[tuple[str, str]]:
    found = PermitCases(Listening()).check(service, form, APPLICANT)
    return [(fault.pointer, fault.code) for fault in found]


def test_a_right_form_has_no_fault() -> None:
    assert faults(billboard()) == []


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 0, []),
        (-1, 30, [("/form/starts_on", "period_in_past")]),
        (10, 9, [("/form/ends_on", "period_ends_before_start")]),
        (0, 365, []),
        (0, 366, [("/form/ends_on", "period_too_long")]),
        (-2, -3, [("/form/starts_on", "period_in_past"), ("/form/ends_on", "period_ends_before_start")]),
    ],
)
def test_a_period_lies_ahead_and_is_at_most_a_year(first: int, last: int, expected: list[tuple[str, str]]) -> None:
    form = billboard(starts_on=str(TODAY + timedelta(days=first)), ends_on=str(TODAY + timedelta(days=last)))
    assert faults(form) == expected


def test_the_limit_of_a_period_is_told() -> None:
    form = billboard(starts_on=str(TODAY), ends_on=str(TODAY + timedelta(days=900)))
    found = PermitCases(Listening()).check("outdoor-advertising", form, APPLICANT)
    assert found[0].params == {"max_days": services()["outdoor-advertising"].rules["period_max_days"]}


def test_an_unfinished_draft_is_judged_by_what_it_has() -> None:
    assert faults({}) == []
    assert faults({"starts_on": "soon", "ends_on": "2026-02-31"}) == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, []), (1, []), (-1, [("/form/registration_valid_until", "registration_expired")])],
)
def test_a_practice_licence_needs_a_registration_that_holds(days: int, expected: list[tuple[str, str]]) -> None:
    form = {"kind": "new", "registration_valid_until": str(TODAY + timedelta(days=days))}
    assert faults(form, "nurse-practice-licence") == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("503/0001/REK/2025", []),
        (None, [("/form/old_licence_number", "required")]),
        ("   ", [("/form/old_licence_number", "required")]),
        ("tidak ingat", [("/form/old_licence_number", "licence_number_invalid")]),
    ],
)
def test_a_renewal_names_the_old_licence(number: str | None, expected: list[tuple[str, str]]) -> None:
    assert faults(billboard(kind="renewal", old_licence_number=number)) == expected


def case_of(form: Mapping[str, object], service: str = "outdoor-advertising", reference: str = "") -> CaseData:
    # 23:30 in UTC is the next day in the city.
    submitted_at = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    file = File(uuid4(), "documents", "berkas.pdf", "application/pdf", b"%PDF-1.7")
    return CaseData(uuid4(), "KDR-2026-0000123", service, form, APPLICANT, [file], submitted_at, reference)


async def test_a_case_is_handed_over_by_the_names_of_the_port() -> None:
    port = Listening()
    form = billboard(applicant_type="business", business_name="CV Kue Mawar", business_tax_number="0123456789012345")
    case = case_of(form)
    assert (await PermitCases(port).submit(case)).reference == "0001201011112026"
    [handed] = port.submitted
    assert handed.reference == case.number
    assert (handed.permit, handed.kind) == ("reklame", "new")
    assert (handed.applicant_name, handed.applicant_phone) == (APPLICANT.name, APPLICANT.phone)
    assert handed.applicant_village_code == "35.71.01.1001"
    assert (handed.business_name, handed.business_tax_number) == ("CV Kue Mawar", "0123456789012345")
    assert handed.business_address == ""
    assert handed.requirements_met == ["identity_card", "design"]
    assert handed.submitted_on == date(2026, 11, 21)
    assert handed.files == case.files
    assert handed.extra["advert_type"] == "wall_sign"
    assert not {"documents", "declaration", "kind", "business_name"} & handed.extra.keys()


async def test_a_lost_case_is_looked_for_by_the_same_words_as_it_was_sent() -> None:
    port = Listening()
    handler, case = PermitCases(port), case_of(billboard())
    await handler.submit(case)
    assert await handler.find(case, []) is None
    assert port.submitted[0] == port.submitted[1]


async def test_what_follows_goes_by_the_agencys_reference() -> None:
    port = Listening()
    handler, case = PermitCases(port), case_of(billboard(), reference="R-1")
    await handler.progress(case)
    await handler.answer(case, "Ukuran?", "2 x 3 m")
    await handler.withdraw(case, "Batal")
    assert port.asked == [("progress", "R-1"), ("answer", "R-1", "Ukuran?", "2 x 3 m"), ("withdraw", "R-1", "Batal")]


async def test_every_service_handed_in_here_names_its_permit() -> None:
    port = Listening()
    handler = PermitCases(port)
    handed_in = [slug for slug, service in services().items() if service.mode == "api"]
    for slug in handed_in:
        await handler.submit(case_of(billboard(), slug))
    permits = [application.permit for application in port.submitted]
    assert len(permits) == len(handed_in) >= 3
    assert all(permits)
    assert len(set(permits)) == len(permits)

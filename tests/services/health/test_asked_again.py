"""After a lost answer, where tickets cannot be looked up: what a refusal of the second asking says of the first."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from app.cases.port import Applicant, CaseData
from app.catalog.facilities import Facility
from app.errors import AgencyError, AgencyRejected, AlreadyThere, NotOffered, OutcomeUnknown
from app.facilities import Branch
from app.sandbox.checks import failure
from services.health.cases import UNNUMBERED, HealthCases
from services.health.port import HealthPort, Patient, Place, Queue, Session, Ticket, TicketRequest
from tests.harness.tickets import HOSPITAL, hospital_form

PLACE = Facility(
    id=HOSPITAL,
    kind="hospital",
    name="RSUD",
    integration="antrean_rs",
    address="Jalan 1",
    village_code="35.71.02.1005",
    clinic=[],
)


class Refusing(HealthPort):
    """A hospital that finds no ticket by its patient, and refuses every asking so."""

    def __init__(self, refusal: AgencyError) -> None:
        self._refusal = refusal

    async def queues(self, session: Session) -> Sequence[Queue]:
        return []

    async def take(self, request: TicketRequest) -> Ticket:
        raise self._refusal

    async def register(self, patient: Patient) -> str:
        raise self._refusal

    async def find(self, request: TicketRequest) -> Ticket | None:
        raise NotOffered("rs", "find", "by booking code only")

    async def place(self, request: TicketRequest, reference: str) -> Place:
        raise self._refusal

    async def cancel(self, request: TicketRequest, reference: str, reason: str) -> None:
        raise self._refusal

    async def check_in(self, request: TicketRequest, reference: str) -> None:
        raise self._refusal


def case() -> CaseData:
    born = date(1990, 5, 17)
    applicant = Applicant(UUID(int=1), "3571021705905001", "Warga Uji", born, "+628129000001", 2)
    submitted_at = datetime.now(UTC) - timedelta(seconds=20)
    return CaseData(UUID(int=2), "LKT-1", "hospital-queue", hospital_form(), applicant, (), submitted_at)


def handler(refusal: AgencyError) -> HealthCases:
    return HealthCases({HOSPITAL: Branch(PLACE, Refusing(refusal))})


@pytest.mark.parametrize("code", ["quota_full", "refused"])
async def test_what_the_first_ticket_may_have_caused_is_no_refusal(code: str) -> None:
    """The last place may be ours, and words we do not know may say that we have one."""
    found = await failure(handler(AgencyRejected("rs", "take", "201 Kuota penuh", code=code)).find(case(), ()))
    assert isinstance(found, OutcomeUnknown)


async def test_what_it_cannot_have_caused_is_one() -> None:
    found = await failure(
        handler(AgencyRejected("rs", "take", "201 Poli tutup", code="clinic_closed")).find(case(), ())
    )
    assert (type(found), found.code) == (AgencyRejected, "clinic_closed")


async def test_the_refusal_of_a_second_one_is_the_first() -> None:
    found = await handler(AlreadyThere("rs", "take", "201 sudah ada", code="already_there")).find(case(), ())
    assert found is not None
    assert found.reference == f"{UNNUMBERED}LKT-1"

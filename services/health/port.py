"""What the health module needs: a facility's own queue system (HealthPort), the insurer's register (MembershipPort).

`serves = ["health"]`: integrations/<name>/health.py, built once per facility of the city's profile that names <name>.
`serves = ["health_membership"]`: integrations/<name>/health_membership.py has a MembershipPort.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

# Why a value is None, per field name: the backend has no such field; what it said cannot be read; the operation that
# tells it is broken over there; two things it told cannot be compared.
Missing = Literal["not_told", "unreadable", "backend_failed", "not_comparable"]

# The codes of AgencyRejected that a citizen is given words for (texts.toml, `error.health.<code>`). Anything else a
# facility refuses with is "refused". The facility's own message is the error's `detail`, for officers.
Refusal = Literal[
    "patient_unknown",
    "clinic_closed",
    "clinic_unknown",
    "doctor_unknown",
    "quota_full",
    "date_past",
    "date_too_far",
    "date_invalid",
    "hours_over",
    "card_invalid",
    "nik_invalid",
    "phone_invalid",
    "complaint_missing",
    "referral_invalid",
    "already_served",
    "ticket_unknown",
    "patient_exists",
    "patient_incomplete",
    "refused",
]


class Session(msgspec.Struct, frozen=True):
    """One doctor's hours at a clinic on one day, by the facility's codes. "" where the facility tells none apart."""

    clinic: str
    day: date
    doctor: str = ""
    hours: str = ""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """How a session's queue stands, as the facility tells it now. Nothing of a person is in it.

    `doctor`, `hours` ("08:00-12:00"): codes to take a ticket with. `waiting`: tickets not called yet. `now_serving`:
    the number called last, as printed. `quota_left` and its total count tickets that can still be taken, by members
    of the national insurance and by others. A None has its reason in `missing`, under the field's name.
    """

    session: Session
    clinic_name: str
    doctor_name: str = ""
    tickets: int | None = None
    waiting: int | None = None
    now_serving: str | None = None
    quota: int | None = None
    quota_left: int | None = None
    quota_others: int | None = None
    quota_others_left: int | None = None
    note: str = ""
    missing: Mapping[str, Missing] = {}


class TicketRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants a ticket for what. `reference` is our case number, the same on every try.

    `card_number` is the insurance card's 13 digits, "" for who pays alone. `record_number`: the facility's medical
    record number, "" where not known. `visit`: why a hospital is visited; `referral`: the letter's number.
    """

    reference: str
    session: Session
    nik: str
    name: str
    phone: str
    card_number: str = ""
    complaint: str = ""
    record_number: str = ""
    visit: Literal["referral", "internal_referral", "control", "hospital_referral", ""] = ""
    referral: str = ""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket the facility gave. `reference` is unique there and leads to it in `place`, `cancel` and `check_in` (with
    the same TicketRequest); nothing of the person is in it: `2026-11-23/001/A12`, or a booking code.

    `number` as printed, None where the facility only says that there is one. `position`: its running number.
    """

    reference: str
    number: str | None
    position: int | None = None
    clinic_name: str = ""
    doctor_name: str = ""
    waiting: int | None = None
    now_serving: str | None = None
    expected_at: datetime | None = None
    record_number: str = ""
    note: str = ""
    missing: Mapping[str, Missing] = {}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one ticket stands. `before`: how many are ahead of it; `wait_s`: the facility's own estimate."""

    number: str | None
    before: int | None = None
    now_serving: str | None = None
    wait_s: int | None = None
    note: str = ""
    missing: Mapping[str, Missing] = {}


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a facility does not know yet, as the citizen confirmed and agreed to hand over. `village_code` is the home
    ministry's (`35.71.02.1001`); the adapter gives names and whatever codes the backend wants."""

    reference: str
    nik: str
    family_card_number: str
    name: str
    sex: Literal["male", "female"]
    birth_date: date
    phone: str
    address: str
    village_code: str
    rt: str
    rw: str
    card_number: str = ""


class HealthPort(ABC):
    """One facility's queue. Every method raises AgencyUnavailable where the facility could not be asked.

    Its AgencyClient has that facility's address, credentials and settings (`client.backend.settings["time_zone"]` is
    its zone), so an adapter knows nothing of other facilities.
    A ticket is one per person, clinic and day: `take` for one that exists raises AlreadyThere (app.errors).
    """

    @abstractmethod
    async def queues(self, session: Session) -> Sequence[Queue]:
        """How the queue of one clinic and day stands: one Queue per doctor where the facility tells them apart; only
        the asked one where `session` names a doctor or hours. Empty: nobody practises.

        Raises AgencyRejected with a Refusal as code (`clinic_unknown`, `clinic_closed`, `date_past`...).
        """

    @abstractmethod
    async def take(self, request: TicketRequest) -> Ticket:
        """Take a ticket. Raises AlreadyThere for a second one, AgencyRejected with a Refusal as code (`patient_unknown`
        for the code 202), OutcomeUnknown where the answer was lost."""

    @abstractmethod
    async def register(self, patient: Patient) -> str:
        """Make a patient known; their medical record number, "" where none is told. Raises AgencyRejected
        (`patient_exists` where they were known already), OutcomeUnknown."""

    @abstractmethod
    async def find(self, request: TicketRequest) -> Ticket | None:
        """The ticket of this person for this clinic and day, without taking one; None where there surely is none.

        Raises NotOffered where the facility has no such question."""

    @abstractmethod
    async def place(self, request: TicketRequest, reference: str) -> Place:
        """Where this ticket stands. Raises AgencyRejected (`ticket_unknown`: cancelled over there, or never given)."""

    @abstractmethod
    async def cancel(self, request: TicketRequest, reference: str, reason: str) -> None:
        """Give the ticket back; one that is gone already counts as done. Raises AgencyRejected (`already_served`),
        OutcomeUnknown."""

    @abstractmethod
    async def check_in(self, request: TicketRequest, reference: str) -> None:
        """Tell the facility that the patient is there; twice is as once. Raises NotOffered where it takes none,
        AgencyRejected, OutcomeUnknown."""


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A person's membership of the national health insurance, as the insurer tells it now.

    `status` and `kind` are the insurer's own words (AKTIF; PBI (APBN)); `active` its code read. `facility`: where the
    person is registered for primary care. `state` of what cannot be known is in `missing`, as in Queue.
    """

    card_number: str
    name: str
    active: bool | None
    status: str
    kind: str = ""
    care_class: str | None = None
    facility_code: str | None = None
    facility_name: str | None = None
    birth_date: date | None = None
    valid_until: date | None = None
    as_of: datetime
    missing: Mapping[str, Missing] = {}


class MembershipPort(ABC):
    """The insurer's register."""

    @abstractmethod
    async def membership(self, nik: str, on: date) -> Membership | None:
        """The membership of a NIK on a day; None where the insurer surely knows none.

        Raises AgencyUnavailable where it could not be asked or its answer not be read, AgencyRejected where it refuses.
        """

"""What app.cases needs from a service module: its own rules, and handing a case to its agency."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from app.errors import FieldError

Status = Literal[
    "draft",
    "submitted",
    "in_review",
    "needs_citizen",
    "approved",
    "rejected",
    "completed",
    "withdrawn",
    "expired",
]


class Applicant(msgspec.Struct, frozen=True):
    """Who asks. Decrypted for the one call that needs it; never logged."""

    citizen_id: UUID
    nik: str
    name: str
    birth_date: date
    phone: str
    assurance_level: int


class File(msgspec.Struct, frozen=True):
    """An attachment of a case. `field` is the form's field it answers, "" for a loose one."""

    id: UUID
    field: str
    name: str
    media_type: str
    content: bytes


class CaseData(msgspec.Struct, frozen=True):
    """A case as its module sees it. `id` is our reference, the same on every try; `agency_reference` is "" before
    delivery.

    Where an answer was lost: `sent_at`, when the case may first have reached the agency, and `given_before`, the newest
    references that the agency had given others by then.
    """

    id: UUID
    number: str
    service: str
    form: Mapping[str, object]
    applicant: Applicant
    files: Sequence[File]
    submitted_at: datetime
    agency_reference: str = ""
    sent_at: datetime | None = None
    given_before: Sequence[str] = ()


class Receipt(msgspec.Struct, frozen=True):
    """The agency's system has it. `reference` is the agency's own number; `details` are for officers.

    `product`: what the agency gave at once, `status` where the case then stands; "" and None where it is to be asked.
    """

    reference: str
    details: Mapping[str, str] = {}
    product: Mapping[str, str] = {}
    status: Status | None = None


class Step(msgspec.Struct, frozen=True):
    """One step of the agency's own procedure. `key` is stable within a case: a step is told once."""

    key: str
    label: str
    state: Literal["done", "current", "to_come"]
    at: datetime | None = None


class Progress(msgspec.Struct, frozen=True):
    """Where the matter stands at the agency, whole, as told now. `reason_code`: what figures count a refusal under
    (app.cases.refusals), told by its words where the agency has no code for it."""

    status: Status
    steps: Sequence[Step] = ()
    question: str = ""
    reason: str = ""
    product: Mapping[str, str] = {}
    reason_code: str = ""


class CaseHandler(ABC):
    """One per service module, in its cases.py, built with the adapter of its port, or one Branch for each facility.

    `one_per_lane`: while a case of a lane stands at the agency, no second one is taken. `repeats_withdrawals`: one
    whose answer was lost may be sent again.
    """

    one_per_lane: ClassVar[bool] = False
    repeats_withdrawals: ClassVar[bool] = False

    @abstractmethod
    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        """The module's own rules, beyond the form's JSON Schema. No input or output: runs inside a request.

        Pointers begin at the request's body, whose member `form` the form is: `/form/starts_on`.
        """

    def facility(self, form: Mapping[str, object]) -> str:
        """Which of the module's facilities a case goes to; "" where one system serves all."""
        return ""

    def lane(self, service: str, applicant: Applicant, form: Mapping[str, object]) -> str:
        """What the backend could mistake for this case when an answer is lost. At most one delivery of a lane is under
        way at a time, so the one new registration there can only be ours. By default: the same name and service."""
        return f"{service}|{' '.join(applicant.name.upper().split())}"

    @abstractmethod
    async def submit(self, case: CaseData) -> Receipt:
        """Hand the case over. Raises AgencyRejected, AgencyUnavailable or OutcomeUnknown."""

    @abstractmethod
    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        """After a lost answer: the receipt if the agency has this case, None if it surely has not.

        `taken` are agency references linked to other cases: all since this one was sent, and `given_before`. None sends
        it again, so it is never a guess: all that it could have become since `sent_at` was looked at. Raises
        OutcomeUnknown where the backend cannot tell (a person must look), AgencyUnavailable where it was not reached.
        """

    @abstractmethod
    async def progress(self, case: CaseData) -> Progress:
        """Ask where the matter stands. Raises AgencyUnavailable."""

    @abstractmethod
    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        """Hand over the citizen's answer. Raises NotOffered where only a person can."""

    @abstractmethod
    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        """Tell the agency that the citizen withdrew. Raises NotOffered where only a person can."""

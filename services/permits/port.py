"""What the permits module needs from the system a permit agency already runs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from app.cases.port import File, Progress, Receipt


class PermitApplication(msgspec.Struct, frozen=True):
    """What is handed over. `reference` is our case number, the same on every try; `permit` and `kind` are our service's
    names (`reklame`, `sip-perawat`; `new`, `renewal`), which the adapter maps to the backend's own ids. `sent_at` and
    `given_before` as in CaseData, where an answer was lost."""

    reference: str
    permit: str
    kind: Literal["new", "renewal", "change"]
    applicant_name: str
    applicant_phone: str
    applicant_address: str
    applicant_village_code: str
    purpose: str
    submitted_on: date
    submitted_at: datetime
    business_name: str = ""
    business_tax_number: str = ""
    business_phone: str = ""
    business_address: str = ""
    business_village_code: str = ""
    requirements_met: Sequence[str] = ()
    files: Sequence[File] = ()
    extra: Mapping[str, object] = {}
    sent_at: datetime | None = None
    given_before: Sequence[str] = ()


class Licence(msgspec.Struct, frozen=True):
    """An issued licence as the agency's system proves it. `valid_until` None: without end, or the backend does not say.
    `permit` is the agency's own name of it."""

    number: str
    permit: str
    holder: str
    issued_on: date | None
    valid_until: date | None
    proven_at: datetime


class PermitsPort(ABC):
    """Every method raises AgencyUnavailable where the backend could not be asked."""

    @abstractmethod
    async def submit(self, application: PermitApplication) -> Receipt:
        """Register it. Raises AgencyRejected, OutcomeUnknown."""

    @abstractmethod
    async def find(self, application: PermitApplication, taken: Sequence[str]) -> Receipt | None:
        """The registration made for this application, None if there surely is none.

        Raises OutcomeUnknown where it cannot be told apart from another's, or not all could be looked at that was
        registered since it was sent. `taken`: references already linked."""

    @abstractmethod
    async def progress(self, reference: str) -> Progress:
        """Where the registration stands, with all steps; `product["licence_number"]` once issued, "" keys left out.

        Raises AgencyRejected for a reference that the backend does not know, OutcomeUnknown where it stands for two."""

    @abstractmethod
    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        """Raises NotOffered where the backend takes no answers."""

    @abstractmethod
    async def withdraw(self, reference: str, reason: str) -> Receipt:
        """Raises NotOffered where the backend takes no withdrawals."""

    @abstractmethod
    async def licence(self, number: str) -> Licence | None:
        """Proof of a licence by its number; None where the backend does not know it."""

    @abstractmethod
    async def licence_number(self, reference: str) -> str:
        """The licence number issued for a registration; "" while there is none."""

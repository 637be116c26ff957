"""What the social aid module needs from the social agency's own service over its extract of the national register."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from app.cases.port import File, Progress, Receipt

# The codes of AgencyRejected that a citizen is given words for (texts.toml, `delivery_reason.<code>`). Anything else
# the agency refuses with is "refused". Its own message is the error's `detail`, for officers.
Refusal = Literal[
    "nik_invalid",
    "household_unknown",
    "programme_unknown",
    "matter_open",
    "too_late",
    "photo_refused",
    "incomplete",
    "refused",
]
Relation = Literal["head", "spouse", "child", "grandchild", "parent", "in_law", "other"]
# Why a value is None, per field name: the backend does not have it, or what it said cannot be read.
Missing = Literal["not_told", "unreadable"]
Source = Literal["photo", "citizen", "unknown"]


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """One programme of aid. `kind` "other": the city's own, whose words are the agency's; `code` as in Entitlement."""

    code: str
    kind: Literal["pkh", "sembako", "pbi_jk", "other"]
    name: str
    owner: Literal["national", "province", "city"]
    about: str = ""
    eligibility: str = ""
    legal_basis: Sequence[str] = ()
    deciles: tuple[int, int] | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member of a household, as the register has them."""

    nik: str
    name: str
    relation: Relation
    birth_date: date | None = None


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What one programme gives for one period (first and last day). `amount_idr` in whole rupiah, None where nothing is
    paid out to the household (a premium). `members`: NIKs whom it is for, none for the household as a whole.

    `ground`: why it is given; `reason`: why it is not. Both in the agency's own words, "" where it has none.
    """

    programme: str
    begins_on: date
    ends_on: date
    state: Literal["paid", "awaiting", "failed", "stopped"]
    amount_idr: int | None = None
    paid_on: date | None = None
    channel: str = ""
    members: Sequence[str] = ()
    ground: str = ""
    reason: str = ""


class HouseholdAid(msgspec.Struct, frozen=True, kw_only=True):
    """A household and what it receives, newest period first. `reference`: the agency's key of the household, the same
    for each of its members. `decile` from 1, the poorest tenth of the nation's households, to 10; None: not determined.

    `updated_on`: of which day the agency's extract is. `as_of`: when it told this. A None has its reason in `missing`.
    """

    reference: str
    members: Sequence[Member]
    decile: int | None
    entitlements: Sequence[Entitlement]
    as_of: datetime
    updated_on: date | None = None
    missing: Mapping[str, Missing] = {}


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence, with place (WGS 84) and time, and where each was read. `content` carries no data but the picture."""

    id: UUID
    name: str
    media_type: str
    content: bytes
    latitude: float | None = None
    longitude: float | None = None
    place_source: Source = "unknown"
    taken_at: datetime | None = None
    time_source: Source = "unknown"


class AidRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed over. `reference` is our case number, the same on every try. A `proposal` asks to put the
    applicant's own household on the list, an `objection` is about an entry or decision on it, a `certificate` is asked
    for a `purpose` (`school_admission`, `scholarship`, `health_care`, `legal_aid`, `other`).

    `about`: what is objected to (`decile`, `programme`, `members`, `address`, `payment`), `programme` its code or "".
    A certificate has no address: it is of the household as the agency has it.
    """

    reference: str
    kind: Literal["proposal", "objection", "certificate"]
    applicant_nik: str
    applicant_name: str
    applicant_phone: str
    submitted_at: datetime
    address: str
    village_code: str
    rt: str
    rw: str
    reason: str = ""
    about: str = ""
    programme: str = ""
    purpose: str = ""
    photos: Sequence[Photo] = ()
    files: Sequence[File] = ()
    extra: Mapping[str, object] = {}


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """The visit that verifies what was said. `by`: who comes, as a role ("pendamping sosial"), never a person's name.
    `findings` are the visitor's own words."""

    state: Literal["planned", "done", "missed"]
    by: str
    planned_on: date | None = None
    done_on: date | None = None
    findings: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided, by which office, and why in its own words."""

    decision: Literal["accepted", "refused"]
    decided_by: str
    reasons: str
    decided_on: date | None = None


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands at the agency. `progress.product["certificate_number"]` once one is issued."""

    progress: Progress
    visit: Visit | None = None
    outcome: Outcome | None = None


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of decile (surat keterangan desil) as the agency's system proves it. `valid_until` None: without
    end, or it does not say. `issued_by`: the office."""

    number: str
    holder: str
    decile: int
    purpose: str
    issued_by: str
    issued_on: date | None
    valid_until: date | None
    proven_at: datetime


class SocialAidPort(ABC):
    """Every method raises AgencyUnavailable where the backend could not be asked or its answer not be read."""

    @abstractmethod
    async def programmes(self) -> Sequence[Programme]:
        """The programmes that run, the national ones among them. Nobody's data."""

    @abstractmethod
    async def household_aid(self, nik: str) -> HouseholdAid | None:
        """The household that this NIK is a member of, whole; None where the agency surely knows none.

        Raises AgencyRejected (`nik_invalid`)."""

    @abstractmethod
    async def submit(self, request: AidRequest) -> Receipt:
        """Register it. Raises AgencyRejected with a Refusal as code, OutcomeUnknown."""

    @abstractmethod
    async def find(self, request: AidRequest, taken: Sequence[str]) -> Receipt | None:
        """The matter registered for this request, None if there surely is none.

        Raises OutcomeUnknown where it cannot be told apart from another's. `taken`: references already linked."""

    @abstractmethod
    async def matter(self, reference: str) -> Matter:
        """Where it stands, with all steps, the visit and the outcome as far as there are any.

        Raises AgencyRejected for a reference that the backend does not know."""

    @abstractmethod
    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        """Raises NotOffered where the backend takes no answers."""

    @abstractmethod
    async def withdraw(self, reference: str, reason: str) -> Receipt:
        """Raises NotOffered where the backend takes no withdrawals."""

    @abstractmethod
    async def certificate(self, number: str) -> Certificate | None:
        """Proof of a certificate by its number; None where the backend does not know it."""

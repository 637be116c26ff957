"""What the social aid routes give."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.social_aid.port import Missing, Relation

Freshness = Literal["fresh", "stale"]
Validity = Literal["valid", "expired", "unknown"]


class DecileRange(msgspec.Struct):
    """From the poorest tenth that a programme is for to the least poor."""

    lowest: int
    highest: int


class ProgrammeView(msgspec.Struct):
    """`code` goes into forms as it is; null where the agency could not be asked. `kind` `other`: the city's own, in the
    agency's words."""

    code: str | None
    kind: Literal["pkh", "sembako", "pbi_jk", "other"]
    owner: Literal["national", "province", "city"]
    name: str
    about: str
    eligibility: str
    deciles: DecileRange | None
    legal_basis: list[str]


class ProgrammeList(msgspec.Struct):
    """All that run. `failed`: the agency could not be asked, so its own programmes are missing."""

    state: Literal["fresh", "stale", "failed"]
    items: list[ProgrammeView]
    next_cursor: str | None = None


class DecileView(msgspec.Struct):
    """`value` from 1, the poorest tenth, to 10; null where it is not determined. `text` says what it means."""

    value: int | None
    text: str


class MemberView(msgspec.Struct):
    """One member of my household."""

    name: str
    nik: str
    relation: Relation
    relation_text: str
    is_me: bool


class EntitlementView(msgspec.Struct):
    """What one programme gives for a period. `amount_idr` in whole rupiah; null where nothing is paid out to the
    household. `members`: for whom, by name; empty for the household as a whole. `ground`: why it is given, `reason`:
    why it is not, in the agency's own words."""

    programme: str
    programme_name: str
    state: Literal["paid", "awaiting", "failed", "stopped"]
    state_text: str
    amount_idr: int | None
    paid_on: date | None
    channel: str
    members: list[str]
    ground: str
    reason: str


class PeriodView(msgspec.Struct):
    """First and last day, and what is given for it."""

    begins_on: date
    ends_on: date
    entitlements: list[EntitlementView]


class EntitlementsView(msgspec.Struct):
    """My household as the agency told it at `as_of`, from its extract of `updated_on`; newest period first. `stale`: it
    cannot be asked now, and this is its last word. `missing` says why a null is one. `services`: what can be done."""

    state: Freshness
    as_of: datetime
    updated_on: date | None
    notice: str
    decile: DecileView
    members: list[MemberView]
    periods: list[PeriodView]
    missing: dict[str, Missing]
    services: dict[str, str]


class VisitView(msgspec.Struct):
    """The verification visit. `by`: who comes, as a role."""

    state: Literal["planned", "done", "missed"]
    state_text: str
    by: str
    planned_on: date | None
    done_on: date | None
    findings: str


class OutcomeView(msgspec.Struct):
    """The agency's decision, by which office, with its own reasons."""

    decision: Literal["accepted", "refused"]
    decision_text: str
    decided_by: str
    decided_on: date | None
    reasons: str


class MatterView(msgspec.Struct):
    """A proposal, objection or request as it stands at the agency. `notice` says whose the decision is."""

    case_id: UUID
    case_number: str
    service: str
    title: str
    state: Freshness
    as_of: datetime
    notice: str
    visit: VisitView | None
    outcome: OutcomeView | None
    certificate: str | None


class CertificateView(msgspec.Struct):
    """An issued certificate of decile, as the agency's system proves it. `validity` `unknown`: it names no end."""

    case_id: UUID
    case_number: str
    title: str
    number: str
    holder: str
    decile: int
    decile_text: str
    purpose: str
    issued_by: str
    issued_on: date | None
    valid_until: date | None
    validity: Validity
    state: Freshness
    as_of: datetime
    check_url: str


class CertificateCheck(msgspec.Struct):
    """What whoever is shown a certificate may know of it. `holder` is masked: compare it with the name one is shown."""

    number: str
    genuine: bool
    validity: Validity
    as_of: datetime
    decile: int | None = None
    holder: str | None = None
    purpose: str | None = None
    issued_by: str | None = None
    issued_on: date | None = None
    valid_until: date | None = None

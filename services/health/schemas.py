"""What the health routes give."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.health.port import Missing

State = Literal["fresh", "stale", "failed"]


class ClinicName(msgspec.Struct):
    """A clinic by the facility's own code."""

    code: str
    name: str


class FacilityView(msgspec.Struct):
    """A puskesmas or hospital. `connected`: whether its own queue system can be asked here. `weekdays`: 1 is Monday."""

    id: str
    kind: Literal["puskesmas", "hospital"]
    name: str
    address: str
    phone: str
    connected: bool
    service: str
    time_zone: str
    weekdays: list[int]
    booking_days: int
    clinics: list[ClinicName]


class FacilityList(msgspec.Struct):
    """All of the city's; there is one page."""

    items: list[FacilityView]
    next_cursor: str | None = None


class Reason(msgspec.Struct):
    """Why not, as a stable code and in words."""

    code: str
    text: str


class SessionView(msgspec.Struct):
    """One doctor's queue. `doctor` and `hours` go into the form as they are. `tickets_left` for insured members,
    `tickets_left_others` for who pays alone. What is null is not known; `missing` says why, by field."""

    doctor: str
    doctor_name: str
    hours: str
    tickets: int | None
    waiting: int | None
    now_serving: str | None
    tickets_left: int | None
    tickets_left_others: int | None
    note: str
    missing: dict[str, Missing]


class ClinicView(msgspec.Struct):
    """A clinic on one day. `closed`: why no ticket can be had; null where one may be. `state` and `as_of` of what the
    facility told: `failed` where it could not be asked."""

    code: str
    name: str
    state: State
    as_of: datetime
    closed: Reason | None
    sessions: list[SessionView]


class ClinicList(msgspec.Struct):
    """A facility's clinics on one day."""

    facility: str
    date: date
    items: list[ClinicView]
    next_cursor: str | None = None


class TicketView(msgspec.Struct):
    """My ticket and its place in the queue now. `ticket_number` null: the facility has it and did not tell the number.
    `called`: whether it is this number's turn, or was. `before`: at most so many come first. `come_at`: the facility's
    own estimate. What is null is not known; `missing` says why, by field."""

    case_id: UUID
    number: str
    status: str
    facility: str
    facility_name: str
    clinic: str
    clinic_name: str
    visit_on: date
    doctor_name: str
    hours: str
    ticket_number: str | None
    now_serving: str | None
    before: int | None
    called: bool | None
    come_at: datetime | None
    state: State
    as_of: datetime
    advice: str
    missing: dict[str, Missing]


class MembershipView(msgspec.Struct):
    """My membership of the national health insurance, told by the insurer at `as_of`: just now, or within the last
    minute where it cannot be asked (`stale`). `status` and `kind` are its own words. What is null is not known;
    `missing` says why, by field."""

    source: str
    state: Literal["fresh", "stale"]
    as_of: datetime
    name: str
    card_number: str
    active: bool | None
    status: str
    kind: str
    care_class: str | None
    facility_code: str | None
    facility_name: str | None
    valid_until: date | None
    missing: dict[str, Missing]

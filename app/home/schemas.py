"""What the home's route gives."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from app.cases.schemas import CaseView
from app.home.port import Bill, Booking, Entitlement, Kind
from app.inbox.schemas import InboxMessage

State = Literal["fresh", "stale", "late", "failed"]


class PartReason(msgspec.Struct, frozen=True):
    """Why a part failed, as a problem document would say it. `params` fill the text: the `level` that is needed, the
    `purpose` of a consent. `retry_after_s` null: asking again does not help by itself."""

    code: str
    text: str
    params: dict[str, Any]
    retry_after_s: int | None


class _Part(msgspec.Struct, kw_only=True, tag_field="kind"):
    """What all parts have; HomeView says what it means."""

    name: str
    title: str
    agency: str | None
    link: str
    state: State
    as_of: datetime | None
    more: bool
    reason: PartReason | None


class CasesPart(_Part, tag="cases"):
    """My open cases, those first that wait for me."""

    items: Sequence[CaseView] | None


class BookingsPart(_Part, tag="bookings"):
    """When I am expected where, the next first."""

    items: Sequence[Booking] | None


class BillsPart(_Part, tag="bills"):
    """What agencies say that I have to pay."""

    items: Sequence[Bill] | None


class EntitlementsPart(_Part, tag="entitlements"):
    """What I am given now."""

    items: Sequence[Entitlement] | None


class MessagesPart(_Part, tag="messages"):
    """My unread messages, newest first."""

    items: Sequence[InboxMessage] | None


PartView = CasesPart | BookingsPart | BillsPart | EntitlementsPart | MessagesPart
VIEWS: Mapping[Kind, type[PartView]] = {
    "cases": CasesPart,
    "bookings": BookingsPart,
    "bills": BillsPart,
    "entitlements": EntitlementsPart,
    "messages": MessagesPart,
}


class HomeView(msgspec.Struct, frozen=True):
    """Every part of my home, as it is known by now. Its `state`: `fresh`; `stale`, as it was told at `as_of`; `late`,
    still being asked; `failed`, for a `reason`. `items` and `as_of` are null where nothing is known. `agency` null: the
    city's own. `more`: there is more than `items`, behind `link`. Skip parts of a kind you do not know."""

    parts: Sequence[PartView]

"""A home as the contract shows it: one part of each state, at once and as a stream."""

from datetime import UTC, date, datetime
from uuid import UUID

import msgspec

from app.home.port import Booking
from app.home.schemas import BookingsPart, CasesPart, EntitlementsPart, HomeView, MessagesPart, PartReason
from app.home.streams import written

_CASE = UUID("019a9b1e-4c60-7d3a-9f0b-3d1c5a7e2b10")
_AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
_TICKET = Booking(
    case_id=_CASE,
    number="KDR-2026-000123-4",
    title="Queue ticket of a health centre",
    place="UPTD Puskesmas Balowerti, General clinic",
    on=date(2026, 11, 23),
    hours="07:30-11:30",
    come_at=datetime(2026, 11, 23, 1, 40, tzinfo=UTC),
    code="A12",
    now_serving=None,
    before=None,
    advice="Come on the day of the visit. The queue can be watched on that day.",
    link=f"/v1/health/tickets/{_CASE}",
)
_LATE = EntitlementsPart(
    name="social_aid.entitlements",
    title="Aid for your household",
    agency="dinsos",
    link="/v1/social-aid/entitlements",
    state="late",
    as_of=None,
    more=False,
    reason=None,
    items=None,
)
_HOME = HomeView(
    [
        CasesPart(
            name="cases",
            title="Your cases",
            agency=None,
            link="/v1/cases",
            state="fresh",
            as_of=_AT,
            more=False,
            reason=None,
            items=[],
        ),
        BookingsPart(
            name="health.bookings",
            title="Your queue tickets",
            agency="dinkes",
            link="/v1/cases",
            state="stale",
            as_of=_AT,
            more=False,
            reason=None,
            items=[_TICKET],
        ),
        _LATE,
        MessagesPart(
            name="messages",
            title="Unread messages",
            agency=None,
            link="/v1/inbox",
            state="failed",
            as_of=None,
            more=False,
            reason=PartReason("database_unavailable", "The service is busy. Try again in a moment.", {}, 5),
            items=None,
        ),
    ]
)
_FOLLOWS = msgspec.structs.replace(_LATE, state="fresh", as_of=_AT, items=[])

AT_ONCE = msgspec.to_builtins(_HOME)
STREAMED = b"".join((written("home", _HOME), written("part", _FOLLOWS), written("end", {}))).decode()

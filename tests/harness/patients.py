"""People who ask pretended facilities for tickets: a day to come, and who asked as a new patient."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from services.health.port import Patient, TicketRequest

STRANGER = "3571010101759004"
CLOSED = {"2026-12-25", "2027-01-01"}


def open_day(weekday: int = 1) -> date:
    """A day to come on which everybody works, a Monday; or another ISO weekday."""
    today = (datetime.now(UTC) + timedelta(hours=7)).date()
    days = (today + timedelta(days=ahead) for ahead in range(1, 30))
    return next(day for day in days if day.isoweekday() == weekday and day.isoformat() not in CLOSED)


def patient(request: TicketRequest, **changes: Any) -> Patient:
    """Who asked for a ticket, as a new patient."""
    new = Patient(
        reference=request.reference,
        nik=request.nik,
        family_card_number="3571020101100001",
        name=request.name,
        sex="female",
        birth_date=date(1990, 5, 5),
        phone=request.phone,
        address="Jalan Dhoho 12",
        village_code="35.71.02.1005",
        rt="002",
        rw="003",
        card_number=request.card_number,
    )
    return msgspec.structs.replace(new, **changes)

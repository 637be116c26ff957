"""Queue tickets for tests: a day on which the demo's puskesmas is open, a form that fits, and asking for one."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import httpx

from app.catalog.city import load_city
from app.catalog.facilities import Facility
from services.health.facilities import is_open, today_at
from tests.harness.cases import new_key
from tests.harness.people import Citizen

PUSKESMAS, OTHER_PUSKESMAS, HOSPITAL = "puskesmas-balowerti", "puskesmas-sukorame", "rsud-gambiran"
SERVICE, HOSPITAL_SERVICE = "puskesmas-queue-ticket", "hospital-queue-ticket"


def facility(name: str) -> Facility:
    return next(each for each in load_city("kediri").facility if each.id == name)


def open_day(name: str = PUSKESMAS, weekdays: tuple[int, ...] = (1, 2, 3, 4, 5), skip: int = 0) -> date:
    """A day to come on which the facility is open; `skip`: not the first such, but a later one."""
    place = facility(name)
    days = (today_at(place) + timedelta(days=ahead) for ahead in range(1, place.booking_days + 1))
    return [day for day in days if is_open(place, day) and day.isoweekday() in weekdays][skip]


def ticket_form(**changed: Any) -> dict[str, Any]:
    """A form of the puskesmas ticket that is right in every field."""
    form: dict[str, Any] = {
        "facility": PUSKESMAS,
        "clinic": "001",
        "visit_on": open_day(changed.get("facility", PUSKESMAS)).isoformat(),
        "doctor": "145011",
        "hours": "07:30-11:30",
        "complaint": "Batuk dan pilek tiga hari",
        "patient": "self",
        "card_number": card_number(),
        "newcomer": "no",
        "consent": True,
    }
    form |= changed
    return {name: value for name, value in form.items() if value is not None}


def hospital_form(**changed: Any) -> dict[str, Any]:
    """A form of the hospital ticket that is right in every field."""
    form: dict[str, Any] = {
        "facility": HOSPITAL,
        "clinic": "INT",
        "visit_on": open_day(HOSPITAL).isoformat(),
        "doctor": "30101",
        "hours": "08:00-12:00",
        "visit": "referral",
        "referral": "132601011226P000001",
        "complaint": "Kontrol tekanan darah",
        "patient": "self",
        "payer": "bpjs",
        "card_number": card_number(),
        "newcomer": "no",
        "consent": True,
    }
    form |= changed
    return {name: value for name, value in form.items() if value is not None}


def card_number() -> str:
    return f"{secrets.randbelow(10**12):013d}"


async def ask(citizen: Citizen, form: dict[str, Any], key: str | None = None) -> httpx.Response:
    """Ask for a ticket; whatever comes."""
    service = HOSPITAL_SERVICE if form["facility"] == HOSPITAL else SERVICE
    return await citizen.post("/v1/cases", {"service": service, "form": form}, key=key or new_key())


async def take(citizen: Citizen, **changed: Any) -> dict[str, Any]:
    """A ticket that the puskesmas gave; its case."""
    answer = await ask(citizen, ticket_form(**changed))
    assert answer.status_code == 201, answer.text
    case: dict[str, Any] = answer.json()
    return case


async def once_open(asking: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer once the facility's door is open again: after a failure it stays shut for some seconds."""
    answer = await asking()
    for _ in range(200):
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(0.3)
        answer = await asking()
    raise AssertionError(answer.text)

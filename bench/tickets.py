"""Queue tickets at a puskesmas of the demo city, taken over the API as citizens take them: who holds one will watch."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from bench.operations import Clinic, Person
from bench.product import NotWorking

SERVICE = "puskesmas-queue-ticket"
HOLDERS = 40


async def take_tickets(url: str, people: Sequence[Person]) -> tuple[Clinic, list[UUID]]:
    """A ticket for each of the first people at one clinic, and that clinic. Raises NotWorking."""
    async with aiohttp.ClientSession(url) as session:
        clinic, asked = await _open_clinic(session)
        return clinic, [await _take(session, one, asked, at) for at, one in enumerate(people[:HOLDERS])]


async def _open_clinic(session: aiohttp.ClientSession) -> tuple[Clinic, dict[str, Any]]:
    """The first puskesmas' first clinic that gives tickets on a day to come."""
    facilities = (await _read(session, "/v1/health/facilities"))["items"]
    place = next(each for each in facilities if each["kind"] == "puskesmas" and each["connected"])
    for ahead in range(1, place["booking_days"] + 1):
        day = (date.today() + timedelta(days=ahead)).isoformat()  # noqa: DTZ011 - a day too many or too few is tried next
        for clinic in (await _read(session, f"/v1/health/facilities/{place['id']}/clinics?date={day}"))["items"]:
            if clinic["closed"] is None and clinic["sessions"]:
                [told, *_] = clinic["sessions"]
                known = {name: told[name] for name in ("doctor", "hours") if told[name]}
                return Clinic(place["id"], day), {
                    "facility": place["id"],
                    "clinic": clinic["code"],
                    "visit_on": day,
                } | known
    raise NotWorking(f"{place['id']} gives no tickets on any day that may be booked")


async def _take(session: aiohttp.ClientSession, one: Person, asked: dict[str, Any], at: int) -> UUID:
    form = asked | {
        "complaint": "Batuk dan pilek tiga hari",
        "patient": "self",
        "card_number": f"{at:013d}",
        "newcomer": "no",
        "consent": True,
    }
    headers = {"Authorization": f"Bearer {one.token}", "Idempotency-Key": str(uuid4())}
    async with session.post("/v1/cases", json={"service": SERVICE, "form": form}, headers=headers) as answer:
        if answer.status != 201:
            raise NotWorking(f"a ticket was refused: {answer.status} {await answer.text()}")
        return UUID((await answer.json())["id"])


async def _read(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        return await answer.json()

"""Live queues over a real Valkey: who watches costs the facility nothing more, whatever the facility and Valkey do."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from itertools import count, pairwise

import pytest

from app.agency_reads import Reads
from app.errors import AgencyRejected, AgencyUnavailable
from app.valkey import Valkey
from services.health import queues as live
from services.health.port import HealthPort, Patient, Place, Queue, Session, Ticket, TicketRequest
from services.health.queues import FRESH_S, LiveQueues, Look
from tests.harness.keys import new_vault

NOWHERE = "redis://127.0.0.1:1"
VAULT = new_vault()
_days = count()


class Facility(HealthPort):
    """A facility that counts who asks for its queues, and has nothing else to give."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.takes_s = 0.0
        self.failure: Exception | None = None

    async def queues(self, session: Session) -> Sequence[Queue]:
        self.asked.append(time.monotonic())
        called = len(self.asked)
        await asyncio.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        return [a_queue(session, f"A{called}")]

    async def take(self, request: TicketRequest) -> Ticket:
        raise NotImplementedError

    async def register(self, patient: Patient) -> str:
        raise NotImplementedError

    async def find(self, request: TicketRequest) -> Ticket | None:
        raise NotImplementedError

    async def place(self, request: TicketRequest, reference: str) -> Place:
        raise NotImplementedError

    async def cancel(self, request: TicketRequest, reference: str, reason: str) -> None:
        raise NotImplementedError

    async def check_in(self, request: TicketRequest, reference: str) -> None:
        raise NotImplementedError


def a_day() -> Session:
    """A clinic's day that no other test watches: what they learn stays in Valkey for a while."""
    return Session("001", date(2031, 1, 1) + timedelta(days=next(_days)))


@pytest.fixture
def facility() -> Facility:
    return Facility()


@asynccontextmanager
async def processes(valkey_url: str, how_many: int = 2) -> AsyncIterator[list[LiveQueues]]:
    """As many processes as asked: each knows of the others through Valkey alone, and waits for it on a slow machine."""
    valkeys = [Valkey(valkey_url, budget_s=5.0) for _ in range(how_many)]
    try:
        yield [LiveQueues(Reads(valkey, VAULT)) for valkey in valkeys]
    finally:
        for valkey in valkeys:
            await valkey.close()


def shown(look: Look) -> str | None:
    return look.queues[0].now_serving


async def test_five_hundred_at_once_in_two_processes_are_one_question(valkey_url: str, facility: Facility) -> None:
    facility.takes_s = 0.3
    session = a_day()
    async with processes(valkey_url) as both:
        looks = await asyncio.gather(*(each.look("p", facility, session) for each in both for _ in range(250)))
    assert len(facility.asked) == 1
    assert {(look.state, shown(look)) for look in looks} == {("fresh", "A1")}


async def test_it_is_asked_again_after_its_time_and_not_before(valkey_url: str, facility: Facility) -> None:
    session = a_day()
    told = set()
    async with processes(valkey_url) as both:
        until = time.monotonic() + 2 * FRESH_S + 1
        while time.monotonic() < until:
            looks = await asyncio.gather(*(each.look("p", facility, session) for each in both))
            told |= {shown(look) for look in looks}
            await asyncio.sleep(0.05)
    assert len(facility.asked) in (2, 3)
    assert all(later - sooner >= FRESH_S - 0.05 for sooner, later in pairwise(facility.asked))
    assert told == {f"A{number}" for number in range(1, len(facility.asked) + 1)}


async def test_a_facility_that_fails_is_not_asked_by_everybody(valkey_url: str, facility: Facility) -> None:
    facility.failure = AgencyUnavailable("antrean_fktp", "status", "HTTP 500")
    session = a_day()
    async with processes(valkey_url) as both:
        looks = [await each.look("p", facility, session) for each in both for _ in range(20)]
    assert {look.state for look in looks} == {"failed"}
    assert len(facility.asked) == 1


@pytest.mark.parametrize("valkey_is", ["up", "down"])
async def test_what_it_told_last_is_shown_as_old_and_costs_no_more(
    valkey_url: str, facility: Facility, valkey_is: str
) -> None:
    session = a_day()
    async with processes(valkey_url if valkey_is == "up" else NOWHERE, 1) as [watching]:
        first = await watching.look("p", facility, session)
        facility.failure = AgencyUnavailable("antrean_fktp", "status", "HTTP 500")
        await asyncio.sleep(FRESH_S + 0.1)
        looks = [await watching.look("p", facility, session) for _ in range(50)]
    assert {(look.state, shown(look), look.as_of) for look in looks} == {("stale", "A1", first.as_of)}
    assert len(facility.asked) == 2


async def test_a_refusal_is_told_to_all_and_asked_for_once(valkey_url: str, facility: Facility) -> None:
    facility.failure = AgencyRejected("antrean_fktp", "status", "tutup", code="clinic_closed")
    session = a_day()
    async with processes(valkey_url) as both:
        looks = [await each.look("p", facility, session) for each in both for _ in range(20)]
    assert {(look.state, look.refusal) for look in looks} == {("fresh", "clinic_closed")}
    assert len(facility.asked) == 1


async def test_one_who_goes_away_ends_nothing_for_the_others(valkey_url: str, facility: Facility) -> None:
    facility.takes_s = 0.3
    session = a_day()
    async with processes(valkey_url, 1) as [watching]:
        first = asyncio.create_task(watching.look("p", facility, session))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(watching.look("p", facility, session))
        first.cancel()
        assert shown(await second) == "A1"
    assert first.cancelled()
    assert len(facility.asked) == 1


async def test_a_facility_that_hangs_keeps_nobody_longer_than_its_budget(valkey_url: str, facility: Facility) -> None:
    facility.takes_s = 60
    session = a_day()
    async with processes(valkey_url) as both:
        begun = time.monotonic()
        looks = await asyncio.gather(*(each.look("p", facility, session) for each in both for _ in range(50)))
        assert time.monotonic() - begun < live.BUDGET_S + 1
    assert {look.state for look in looks} == {"failed"}
    assert len(facility.asked) == 1


async def test_without_valkey_each_process_asks_for_itself(facility: Facility) -> None:
    session = a_day()
    async with processes(NOWHERE) as both:
        looks = await asyncio.gather(*(each.look("p", facility, session) for each in both for _ in range(100)))
    assert len(facility.asked) == 2
    assert {look.state for look in looks} == {"fresh"}


def a_queue(session: Session, number: str) -> Queue:
    return Queue(session=session, clinic_name="Umum", now_serving=number)

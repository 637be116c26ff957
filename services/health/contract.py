"""What every adapter of the health port promises: checks against its sandbox or, where they only read, a facility.

A sandbox records tickets as effects "take" under our reference, knows not the demo's Rahmat, and its `work` without a
reference calls the next number everywhere. Copies whose status call is broken, or who know no patient, are such too.
"""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from app.catalog.city import load_city
from app.catalog.facilities import Facility
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, AlreadyThere, NotOffered, OutcomeUnknown
from app.sandbox.checks import (
    EFFECT_MODES,
    MODES,
    NO_EFFECT_MODES,
    failure,
    given,
    suffering,
    unavailable,
    under_each,
)
from app.sandbox.port import Check, ContractBroken, Workbench, require
from app.settings import settings
from services.health.facilities import is_open, sessions_on, today_at
from services.health.port import HealthPort, Patient, Place, Queue, Session, Ticket, TicketRequest

STRANGER = "3571010101759004"
NOBODYS_NIK, NOBODYS_CARD = "0" * 16, "0" * 13
UNKNOWN_CLINIC = "QQQ"
# A queue tells these, or why it cannot.
_TOLD = ("tickets", "waiting", "now_serving", "quota", "quota_left", "quota_others", "quota_others_left")


async def _unknown_clinic(port: HealthPort, bench: Workbench | None) -> None:
    error = await failure(port.queues(Session(UNKNOWN_CLINIC, datetime.now(UTC).date())))
    if bench is not None and _is_broken(error):
        return
    require(isinstance(error, AgencyRejected), f"the queue of an unknown clinic raised {error!r}")


async def _well_formed_queues(port: HealthPort, bench: Workbench | None) -> None:
    session = await _session(port)
    try:
        queues = await port.queues(session)
    except AgencyUnavailable as error:
        require(bench is not None and _is_broken(error), f"the queue cannot be had: {error!r}")
        return
    require(queues, f"nobody practises at {session.clinic} on {session.day}, which its profile says is open")
    for queue in queues:
        _well_formed(queue)
        require(queue.session.clinic == session.clinic and queue.session.day == session.day, f"another's: {queue}")


async def _past_day(port: HealthPort, bench: Workbench | None) -> None:
    session = msgspec.structs.replace(await _session(port), day=date(2020, 1, 6))
    try:
        queues = await port.queues(session)
    except AgencyRejected:
        return
    except AgencyUnavailable as error:
        require(bench is not None and _is_broken(error), f"the queue cannot be had: {error!r}")
        return
    require(not any(queue.quota_left for queue in queues), f"tickets are left for a day long past: {queues}")


async def _never_taken(port: HealthPort, _bench: Workbench | None) -> None:
    request = _request(await _session(port), nik=NOBODYS_NIK, card_number=NOBODYS_CARD)
    try:
        found = await port.find(request)
    except (NotOffered, AgencyRejected):
        return
    require(found is None, f"find of a ticket never taken gave {found}")


async def _taken(port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    ticket = await port.take(request)
    require(ticket.reference and ticket.number, f"no number on the ticket {ticket}")
    for personal in (request.nik, request.card_number, request.phone, request.name):
        require(personal not in ticket.reference, "a ticket's reference tells who it is of")
    require(await _effects(bench, request) == 1, "not one effect for one ticket")
    found = await _found(port, request)
    if found is not None:
        require(
            (found.reference, found.number) == (ticket.reference, ticket.number), f"find gave {found}, not {ticket}"
        )
    place = await port.place(request, ticket.reference)
    require(place.number in (ticket.number, None), f"the place of {ticket.number} is {place}")
    require(place.before is None or place.before >= 0, f"{place.before} people are before it")
    _reasons(place, ("before", "now_serving", "wait_s"))


async def _second(port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    await port.take(request)
    again = msgspec.structs.replace(request, reference=_reference())
    error = await failure(port.take(again))
    require(isinstance(error, AlreadyThere), f"a second ticket for one person, clinic and day raised {error!r}")
    require(await _effects(bench, again) == 0, "a second ticket was given")


async def _two_at_once(port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    both = [msgspec.structs.replace(request, reference=_reference()) for _ in range(2)]
    came = await asyncio.gather(*(_taken_or_there(port, each) for each in both))
    require(sorted(came) == ["taken", "there"], f"two at once came to {came}")
    require(sum([await _effects(bench, each) for each in both]) == 1, "not one ticket for two at once")


async def _cancelled(port: HealthPort, _bench: Workbench | None) -> None:
    request = await _known(port)
    ticket = await port.take(request)
    await port.cancel(request, ticket.reference, "contract check")
    await port.cancel(request, ticket.reference, "contract check")
    error = await failure(port.place(request, ticket.reference))
    require(isinstance(error, AgencyRejected), f"the place of a cancelled ticket raised {error!r}")
    require(error.code == "ticket_unknown", f"a cancelled ticket is refused with {error.code!r}")
    require(await _found(port, request) is None, "a cancelled ticket is found")


async def _stranger(port: HealthPort, _bench: Workbench | None) -> None:
    session = await _session(port)
    patient = _patient()
    request = _request(session, nik=patient.nik, name=patient.name, card_number=patient.card_number)
    error = await failure(port.take(request))
    require(
        isinstance(error, AgencyRejected) and error.code == "patient_unknown", f"a stranger's take raised {error!r}"
    )
    record_number = await port.register(patient)
    ticket = await port.take(msgspec.structs.replace(request, record_number=record_number))
    require(ticket.number, "no ticket for a patient registered just now")
    error = await failure(port.register(msgspec.structs.replace(patient, reference=_reference())))
    require(isinstance(error, AgencyRejected) and error.code == "patient_exists", f"registered twice: {error!r}")


async def _check_in(port: HealthPort, _bench: Workbench | None) -> None:
    request = await _known(port)
    ticket = await port.take(request)
    try:
        await port.check_in(request, ticket.reference)
        await port.check_in(request, ticket.reference)
    except NotOffered:
        return


async def _moves(port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    await port.take(request)
    await given(bench).work()
    try:
        served = [queue.now_serving for queue in await port.queues(request.session)]
    except AgencyUnavailable as error:
        require(_is_broken(error), f"the queue cannot be had: {error!r}")
        return
    require(any(served), "a number was called, and no queue tells which")


async def _without_effect(mode: str, port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    async with suffering(bench, mode):
        error = await failure(port.take(request))
    require(isinstance(error, AgencyUnavailable | OutcomeUnknown), f"take under {mode} raised {error!r}")
    require(await _effects(bench, request) == 0, f"{mode} had an effect in the sandbox")
    require(await _found(port, request) is None, "a ticket is found that was never given")
    require((await port.take(request)).number, "after the fault, no ticket")


async def _with_effect(mode: str, port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    # What it asks once and keeps, such as a token, is asked now, so that the fault meets the ticket.
    await port.take(await _known(port))
    async with suffering(bench, mode):
        error = await failure(port.take(request))
    if await _effects(bench, request) == 0:
        # Where a token is good for one call, the fault met the login, or the refusal of the token.
        require(isinstance(error, AgencyUnavailable | OutcomeUnknown), f"take under {mode} raised {error!r}")
        require((await port.take(request)).number, "after the fault, no ticket")
        return
    require(isinstance(error, OutcomeUnknown), f"take under {mode} raised {error!r}")
    try:
        found = await port.find(request)
    except NotOffered:
        found = None
    else:
        require(found is not None, f"find lost the ticket taken under {mode}")
    error = await failure(port.take(request))
    require(isinstance(error, AlreadyThere), f"taken again after a lost answer: {error!r}")


async def _reads_say_unavailable(mode: str, port: HealthPort, bench: Workbench | None) -> None:
    request = await _known(port)
    ticket = await port.take(request)
    reads = {"queues": port.queues(request.session), "place": port.place(request, ticket.reference)}
    await unavailable(bench, mode, reads)
    await port.place(request, ticket.reference)


CHECKS: Sequence[Check[HealthPort]] = (
    Check("an unknown clinic is refused", _unknown_clinic, writes=False),
    Check("a queue tells what it knows, and why it does not know the rest", _well_formed_queues, writes=False),
    Check("a day long past has no tickets", _past_day, writes=False),
    Check("a ticket never taken is not found", _never_taken, writes=False),
    Check("a ticket taken has its number, and is found", _taken, writes=True),
    Check("a second ticket is there already", _second, writes=True),
    Check("of two at once one has the ticket", _two_at_once, writes=True),
    Check("a cancelled ticket is gone", _cancelled, writes=True),
    Check("a stranger is registered, once", _stranger, writes=True),
    Check("check-in is taken or not offered", _check_in, writes=True),
    Check("a queue moves", _moves, writes=True),
    *under_each(NO_EFFECT_MODES, "take under {} had no effect", _without_effect),
    *under_each(EFFECT_MODES, "take under {} is unknown, then there", _with_effect),
    *under_each(MODES, "reads under {} are unavailable", _reads_say_unavailable),
)


async def _facility(port: HealthPort) -> Facility:
    """The facility behind the port: an agency's error names its backend."""
    error = await _unknown_clinics_error(port)
    for facility in load_city(settings().city).facility:
        if facility.backend == error.backend:
            return facility
    raise ContractBroken(f"the city's profile has no facility {error.backend}")


async def _session(port: HealthPort) -> Session:
    """The first clinic's first session on a day to come."""
    facility = await _facility(port)
    today = today_at(facility)
    for ahead in range(1, facility.booking_days + 1):
        day = today + timedelta(days=ahead)
        for session in sessions_on(facility.clinic[0], day) if is_open(facility, day) else ():
            return await _with_doctor(port, session)
    raise ContractBroken(f"{facility.id} is closed for {facility.booking_days} days")


async def _with_doctor(port: HealthPort, session: Session) -> Session:
    """The doctor and hours to take a ticket with, where the facility tells them itself."""
    try:
        queues = await port.queues(session)
    except AgencyUnavailable as error:
        if _is_broken(error):
            return session
        raise
    require(queues, f"nobody practises at {session.clinic} on {session.day}")
    return queues[0].session


async def _known(port: HealthPort) -> TicketRequest:
    """A ticket to ask for, by somebody whom the facility knows by then."""
    request = _request(await _session(port))
    patient = msgspec.structs.replace(
        _patient(), nik=request.nik, name=request.name, card_number=request.card_number, reference=_reference()
    )
    try:
        return msgspec.structs.replace(request, record_number=await port.register(patient))
    except AgencyRejected as error:
        if error.code != "patient_exists":
            raise
    return request


async def _taken_or_there(port: HealthPort, request: TicketRequest) -> str:
    """Take a ticket, once more where it surely was not asked for: two may need one login."""
    for last in (False, False, True):
        try:
            await port.take(request)
        except AlreadyThere:
            return "there"
        except AgencyUnavailable:
            if last:
                raise
        else:
            return "taken"
    return ""


async def _unknown_clinics_error(port: HealthPort) -> AgencyError:
    return await failure(port.queues(Session(UNKNOWN_CLINIC, datetime.now(UTC).date())))


def _is_broken(error: AgencyError) -> bool:
    """Whether that operation alone is broken over there: its neighbours may work."""
    return isinstance(error, AgencyUnavailable) and error.code == "backend_failed"


async def _found(port: HealthPort, request: TicketRequest) -> Ticket | None:
    try:
        return await port.find(request)
    except NotOffered:
        return None


def _request(session: Session, **changed: str) -> TicketRequest:
    day = date(1960, 1, 1) + timedelta(days=secrets.randbelow(15_000))
    request = TicketRequest(
        reference=_reference(),
        session=session,
        nik=f"357102{day:%d%m%y}{7000 + secrets.randbelow(2000)}",
        name="Contract Check",
        phone=_phone(),
        card_number=f"{secrets.randbelow(10**12):013d}",
        complaint="Contract check of the health port",
        visit="control",
        referral=f"{secrets.randbelow(10**12):019d}",
    )
    return msgspec.structs.replace(request, **changed)


def _patient() -> Patient:
    return Patient(
        reference=_reference(),
        nik=STRANGER,
        family_card_number="3571012001100001",
        name="Rahmat",
        sex="male",
        birth_date=date(1975, 1, 1),
        phone=_phone(),
        address="Jalan Dhoho 1",
        village_code="35.71.02.1005",
        rt="01",
        rw="02",
        card_number=f"{secrets.randbelow(10**12):013d}",
    )


def _phone() -> str:
    return f"+62813{secrets.randbelow(10**8):08d}"


def _reference() -> str:
    return f"CHECK-{secrets.token_hex(6)}"


async def _effects(bench: Workbench | None, request: TicketRequest) -> int:
    """How often a ticket was given for the request, as the sandbox itself counts."""
    effects = await given(bench).ledger()
    return sum(effect.reference == request.reference and effect.operation == "take" for effect in effects)


def _well_formed(queue: Queue) -> None:
    require(queue.clinic_name, f"a queue without its clinic's name: {queue}")
    for name in _TOLD:
        value = getattr(queue, name)
        require(not isinstance(value, int) or value >= 0, f"{name} is {value}")
    _reasons(queue, _TOLD)


def _reasons(told: Queue | Place, names: Sequence[str]) -> None:
    silent = [name for name in names if getattr(told, name) is None and name not in told.missing]
    require(not silent, f"{silent} are not told, without a reason")

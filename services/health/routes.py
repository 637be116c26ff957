"""Health over HTTP: facilities and their clinics, a ticket's place in the queue, checking in, membership."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.cases.tools import CaseTools
from app.catalog.facilities import Clinic, Facility
from app.database import utc_now
from app.errors import BadRequest, FieldError, NotFound
from app.facilities import Branch
from app.limits import Limiter
from app.login.guards import CITIZEN, PUBLIC, CitizenRequest, citizen
from app.problems import problems
from app.texts import Language, text
from services.health.actions import Tickets, read_membership, refusal_text
from services.health.cases import MODULE
from services.health.facilities import day_faults, is_over, sessions_on, today_at
from services.health.port import HealthPort, MembershipPort, Queue, Session
from services.health.queues import LiveQueues, Look
from services.health.schemas import (
    ClinicList,
    ClinicName,
    ClinicView,
    FacilityList,
    FacilityView,
    MembershipView,
    Reason,
    SessionView,
    State,
    TicketView,
)
from services.health.views import ticket_view

TAGS = ["health"]
MEMBERSHIPS_PER_MINUTE = 10
AnyRequest = Request[Any, Any, Any]
Branches = dict[str, Branch[HealthPort]]
_SERVICES = {"puskesmas": "puskesmas-queue-ticket", "hospital": "hospital-queue-ticket"}
_STATE = "health_queues"


# A text held to dates: a date that may be left out would take `date=null` for none.
Day = Annotated[
    str | None,
    QueryParameter(
        name="date",
        description="Today there, where it is left out.",
        schema_extra={"type": "string", "format": "date"},
    ),
]


@get(
    "/v1/health/facilities",
    opt=PUBLIC,
    operation_id="list_facilities",
    summary="Puskesmas and hospitals, with their clinics",
    tags=TAGS,
    responses=problems(public=True),
)
async def list_facilities(request: AnyRequest, language: NamedDependency[Language]) -> FacilityList:
    return FacilityList([_facility_view(branch, language) for branch in _branches(request).values()])


@get(
    "/v1/health/facilities/{facility_id:str}/clinics",
    opt=PUBLIC,
    operation_id="list_clinics",
    summary="A facility's clinics on one day: doctors, hours, tickets left, as its own system tells now",
    tags=TAGS,
    responses=problems("facility_unknown", public=True),
)
async def list_clinics(
    request: AnyRequest,
    facility_id: FromPath[str],
    language: NamedDependency[Language],
    day: Day = None,
) -> ClinicList:
    branch = _branches(request).get(facility_id)
    if branch is None:
        raise NotFound("facility_unknown")
    facility, wanted = branch.facility, _day(day) or today_at(branch.facility)
    closed = next((_reason(fault, language) for fault in day_faults(facility, wanted, "")), None)
    asked = [() if closed else sessions_on(clinic, wanted) for clinic in facility.clinic]
    live = _live(request)
    looks = await asyncio.gather(*(_looks(live, branch, own) for own in asked))
    items = [
        ClinicShown(facility, clinic, language).view(own, closed)
        for clinic, own in zip(facility.clinic, looks, strict=True)
    ]
    return ClinicList(facility_id, wanted, items)


@get(
    "/v1/health/tickets/{case_id:uuid}",
    opt=citizen(acting="case"),
    operation_id="watch_ticket",
    summary="My ticket and its place in the queue now",
    description="Ask as often as you like: the facility is asked at most once in five seconds, for all who watch.",
    tags=TAGS,
    responses=problems("case_not_found", "ticket_not_there"),
)
async def watch_ticket(
    request: CitizenRequest, case_id: FromPath[UUID], language: NamedDependency[Language]
) -> TicketView:
    return ticket_view(await _tickets(request).standing(case_id, request.user.id), language)


@post(
    "/v1/health/tickets/{case_id:uuid}/check-in",
    status_code=200,
    opt=citizen(acting="case"),
    operation_id="check_in",
    summary="Tell the hospital that I am there, on the day",
    description="Twice is as once. Puskesmas take check-ins at their desk alone.",
    tags=TAGS,
    responses=problems(
        "case_not_found",
        "consent_missing",
        "processing_restricted",
        "ticket_not_there",
        "check_in_not_today",
        "check_in_not_offered",
        "check_in_refused",
        "agency_unavailable",
    ),
)
async def check_in(request: CitizenRequest, case_id: FromPath[UUID], language: NamedDependency[Language]) -> TicketView:
    tickets = _tickets(request)
    await tickets.check_in(case_id, request.user.id)
    return ticket_view(await tickets.standing(case_id, request.user.id), language)


@get(
    "/v1/health/membership",
    opt=CITIZEN,
    operation_id="read_membership",
    summary="My membership of the national health insurance, as the insurer tells it now",
    description="Needs the consent `health-membership` (POST /v1/me/consents). Kept for a minute at most, encrypted.",
    tags=TAGS,
    responses=problems(
        "consent_missing", "processing_restricted", "membership_not_found", "membership_refused", "agency_unavailable"
    ),
)
async def get_membership(
    request: CitizenRequest,
    health_membership: NamedDependency[MembershipPort],
    limiter: NamedDependency[Limiter],
) -> MembershipView:
    await limiter.hit("membership", str(request.user.id), limit=MEMBERSHIPS_PER_MINUTE, period_s=60)
    seen = await read_membership(request.user.id, health_membership, request.app.state["cases"])
    told = seen.value
    return MembershipView(
        source="BPJS Kesehatan",
        state="stale" if seen.is_stale else "fresh",
        as_of=told.as_of,
        name=told.name,
        card_number=told.card_number,
        active=told.active,
        status=told.status,
        kind=told.kind,
        care_class=told.care_class,
        facility_code=told.facility_code,
        facility_name=told.facility_name,
        valid_until=told.valid_until,
        missing=dict(told.missing),
    )


def _branches(request: AnyRequest) -> Branches:
    return cast(Branches, request.app.state["modules"][MODULE].port)


def _live(request: AnyRequest) -> LiveQueues:
    """This process's live queues, kept in the application's state: two applications in one process share none."""
    state = request.app.state
    if _STATE not in state:
        state[_STATE] = LiveQueues(cast(CaseTools, state["cases"]).reads)
    return cast(LiveQueues, state[_STATE])


async def _looks(live: LiveQueues, branch: Branch[HealthPort], sessions: Sequence[Session]) -> Sequence[Look]:
    return await asyncio.gather(*(live.look(branch.facility.id, branch.port, each) for each in sessions))


def _tickets(request: AnyRequest) -> Tickets:
    return Tickets(_branches(request), _live(request), request.app.state["cases"])


def _facility_view(branch: Branch[HealthPort], language: Language) -> FacilityView:
    facility = branch.facility
    return FacilityView(
        id=facility.id,
        kind=facility.kind,
        name=facility.name,
        address=facility.address,
        phone=facility.phone,
        connected=branch.port is not None,
        service=_SERVICES[facility.kind],
        time_zone=facility.time_zone,
        weekdays=list(facility.weekdays),
        booking_days=facility.booking_days,
        clinics=[ClinicName(clinic.code, clinic.name.into(language)) for clinic in facility.clinic],
    )


def _reason(fault: FieldError, language: Language) -> Reason:
    return Reason(fault.code, text(f"field.{fault.code}", language, fault.params))


class ClinicShown(msgspec.Struct, frozen=True):
    """A facility's clinic for a reader."""

    facility: Facility
    clinic: Clinic
    language: Language

    def view(self, looks: Sequence[Look], closed: Reason | None) -> ClinicView:
        refusal = next((look.refusal for look in looks if look.refusal), "")
        queues = [queue for look in looks for queue in look.queues]
        if closed is None and refusal:
            closed = Reason(refusal, refusal_text(refusal, self.language))
        elif closed is None and not queues and all(look.state == "fresh" for look in looks):
            closed = Reason("clinic_closed", refusal_text("clinic_closed", self.language))
        elif closed is None and queues and all(is_over(self.facility, queue.session) for queue in queues):
            closed = Reason("hours_over", refusal_text("hours_over", self.language))
        return ClinicView(
            code=self.clinic.code,
            name=self.clinic.name.into(self.language),
            state=max((look.state for look in looks), key=_BADNESS.index, default="fresh"),
            as_of=min((look.as_of for look in looks), default=utc_now()),
            closed=closed,
            sessions=[self._session(queue) for queue in queues],
        )

    def _session(self, queue: Queue) -> SessionView:
        known = {practice.doctor: practice.name for practice in self.clinic.practice}
        return SessionView(
            doctor=queue.session.doctor,
            doctor_name=queue.doctor_name or known.get(queue.session.doctor, ""),
            hours=queue.session.hours,
            tickets=queue.tickets,
            waiting=queue.waiting,
            now_serving=queue.now_serving,
            tickets_left=queue.quota_left,
            tickets_left_others=queue.quota_others_left,
            note=queue.note,
            missing={_SHOWN_AS.get(name, name): why for name, why in queue.missing.items() if name not in _NOT_SHOWN},
        )


_BADNESS: tuple[State, ...] = ("fresh", "stale", "failed")
_SHOWN_AS = {"quota_left": "tickets_left", "quota_others_left": "tickets_left_others"}
_NOT_SHOWN = ("quota", "quota_others")


def _day(written: str | None) -> date | None:
    """None where it was left out. Raises BadRequest for what is no day of the calendar."""
    if written is None:
        return None
    try:
        return datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise BadRequest("parameter_invalid", errors=[FieldError("/query/date", "format")]) from None


ROUTES = [list_facilities, list_clinics, watch_ticket, check_in, get_membership]

"""Tickets as their citizen sees them: each on its own, and among what a home shows."""

from app.catalog.catalog import Catalog
from app.home.port import Booking
from app.texts import Language, text
from services.health.actions import Standing
from services.health.facilities import today_at
from services.health.schemas import TicketView

# So few before me: it is time to be there.
_SOON = 5


def booking(standing: Standing, catalog: Catalog, language: Language) -> Booking:
    facility, session, queue = standing.branch.facility, standing.session, standing.queue
    clinic = facility.find_clinic(session.clinic)
    service = catalog.find(standing.service)
    return Booking(
        case_id=standing.case_id,
        number=standing.number,
        title=service.title.into(language) if service else standing.service,
        place=f"{facility.name}, {clinic.name.into(language) if clinic else session.clinic}",
        on=session.day,
        hours=session.hours,
        come_at=standing.come_at,
        code=standing.ticket_number,
        now_serving=queue.now_serving if queue else None,
        before=standing.before,
        advice=text(f"health.advice.{_advice(standing)}", language),
        link=f"/v1/health/tickets/{standing.case_id}",
    )


def ticket_view(standing: Standing, language: Language) -> TicketView:
    facility, session, queue = standing.branch.facility, standing.session, standing.queue
    clinic = facility.find_clinic(session.clinic)
    return TicketView(
        case_id=standing.case_id,
        number=standing.number,
        status=standing.status,
        facility=facility.id,
        facility_name=facility.name,
        clinic=session.clinic,
        clinic_name=clinic.name.into(language) if clinic else session.clinic,
        visit_on=session.day,
        doctor_name=queue.doctor_name if queue else "",
        hours=session.hours or (queue.session.hours if queue else ""),
        ticket_number=standing.ticket_number,
        now_serving=queue.now_serving if queue else None,
        before=standing.before,
        called=standing.called,
        come_at=standing.come_at,
        state=standing.look.state,
        as_of=standing.look.as_of,
        advice=text(f"health.advice.{_advice(standing)}", language),
        missing=dict(standing.missing),
    )


def _advice(standing: Standing) -> str:
    if standing.status == "completed":
        return "over"
    if standing.ticket_number is None:
        return "ask_number"
    if today_at(standing.branch.facility) < standing.session.day:
        return "another_day"
    if standing.before is None:
        return "not_known"
    if standing.called:
        return "called"
    return "soon" if standing.before <= _SOON else "wait"

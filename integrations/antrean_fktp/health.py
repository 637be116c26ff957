"""The health port over one puskesmas' Antrean FKTP."""

import re
from collections.abc import Mapping, Sequence

from app.agency_answers import Envelope, Fields, rows, text, whole
from app.agency_client import AgencyClient
from app.agency_envelope import OK
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from integrations.antrean_fktp.client import AntreanFktpClient
from integrations.antrean_fktp.forms import cancel_fields, ticket_fields
from integrations.standards.antrean.patients import PatientForm
from integrations.standards.antrean.refusals import refusal
from services.health.port import HealthPort, Missing, Patient, Place, Queue, Session, Ticket, TicketRequest

Row = Mapping[str, object]
_CLOCK = r"([0-9]{1,2})[:.]([0-9]{2})(?:[:.][0-9]{2})?"
_HOURS = re.compile(rf"{_CLOCK}\s*(?:[-\u2013\u2014]|s/d|s\.d\.?|sd|sampai)\s*{_CLOCK}", re.IGNORECASE)
_NO_QUOTA: Mapping[str, Missing] = {
    "quota": "not_told",
    "quota_left": "not_told",
    "quota_others": "not_told",
    "quota_others_left": "not_told",
}


class AntreanFktpHealth(HealthPort):
    """Speaks to one puskesmas."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._cancel_note = client.backend.settings["cancel_note"]
        self._client = AntreanFktpClient(client)
        self._patients = PatientForm(client.backend)

    async def queues(self, session: Session) -> Sequence[Queue]:
        answer = self._accepted("status", await self._client.status(session.clinic, session.day))
        told = rows(answer.response)
        if not told and answer.response != []:
            raise AgencyUnavailable(self._name, "status", "no queue in its answer", code="unreadable")
        queues = [_queue(row, session) for row in told]
        return [queue for queue in queues if _is_asked_for(queue.session, session)]

    async def take(self, request: TicketRequest) -> Ticket:
        fields = ticket_fields(request)
        answer = self._accepted("take", await self._client.take(fields, request.reference))
        row = _only(answer)
        if not text(row.get("nomorantrean")):
            raise OutcomeUnknown(self._name, "take", "accepted, but no number in its answer")
        return _ticket(row, request.session)

    async def register(self, patient: Patient) -> str:
        answer = self._accepted(
            "register", await self._client.register(self._patients.fields(patient), patient.reference)
        )
        return text(_only(answer).get("norm"))

    async def find(self, request: TicketRequest) -> Ticket | None:
        session = request.session
        try:
            row = await self._remaining(request)
        except AgencyRejected as refused:
            if refused.code in ("ticket_unknown", "patient_unknown"):
                return None
            if refused.code == "already_served":
                return _served(session)
            raise OutcomeUnknown(self._name, "remaining", refused.detail) from None
        return _ticket(row, session)

    async def place(self, request: TicketRequest, reference: str) -> Place:
        fields = Fields(await self._remaining(request))
        left = fields.whole("before", "sisaantrean")
        return Place(
            number=fields.text("nomorantrean") or reference.rpartition("/")[2] or None,
            # It counts the ticket itself among those that are left.
            before=None if left is None else max(left - 1, 0),
            now_serving=fields.printed("now_serving", "antreanpanggil"),
            note=fields.text("keterangan"),
            missing={**fields.missing, "wait_s": "not_told"},
        )

    async def cancel(self, request: TicketRequest, reference: str, reason: str) -> None:
        self._need_card("cancel", request)
        fields = cancel_fields(request, reason or self._cancel_note)
        try:
            self._accepted("cancel", await self._client.cancel(fields, request.reference))
        except AgencyRejected as refused:
            if refused.code != "ticket_unknown":
                raise

    async def check_in(self, request: TicketRequest, reference: str) -> None:
        raise NotOffered(self._name, "check_in", "takes no check-in: the counter does")

    async def _remaining(self, request: TicketRequest) -> Row:
        session = request.session
        self._need_card("remaining", request)
        row = _only(
            self._accepted("remaining", await self._client.remaining(request.card_number, session.clinic, session.day))
        )
        if not text(row.get("nomorantrean")) and whole(row.get("sisaantrean")) is None:
            raise AgencyUnavailable(self._name, "remaining", "no ticket in its answer", code="unreadable")
        return row

    def _need_card(self, operation: str, request: TicketRequest) -> None:
        """Tickets are found by card: without one, "not found" would not mean that there is none."""
        if not request.card_number:
            raise NotOffered(self._name, operation, "finds tickets by the insurance card only")

    def _accepted(self, operation: str, answer: Envelope) -> Envelope:
        if answer.code != OK:
            raise refusal(self._name, operation, answer)
        return answer


def hours(written: str) -> str:
    """Hours as "08:00-12:00", however a vendor writes them; as they came where they are none."""
    found = _HOURS.search(written)
    if not found:
        return written
    begin_h, begin_m, end_h, end_m = found.groups()
    return f"{begin_h.zfill(2)}:{begin_m}-{end_h.zfill(2)}:{end_m}"


def _queue(row: Row, asked: Session) -> Queue:
    fields = Fields(row)
    return Queue(
        session=Session(asked.clinic, asked.day, fields.text("kodedokter"), hours(fields.text("jampraktek"))),
        clinic_name=fields.text("namapoli"),
        doctor_name=fields.text("namadokter"),
        tickets=fields.whole("tickets", "totalantrean"),
        waiting=fields.left("waiting", "sisaantrean"),
        now_serving=fields.printed("now_serving", "antreanpanggil"),
        note=fields.text("keterangan"),
        missing={**fields.missing, **_NO_QUOTA},
    )


def _ticket(row: Row, session: Session) -> Ticket:
    fields = Fields(row)
    number = fields.printed("number", "nomorantrean")
    return Ticket(
        reference=_reference(session, number or ""),
        number=number,
        position=fields.whole("position", "angkaantrean"),
        clinic_name=fields.text("namapoli"),
        waiting=fields.left("waiting", "sisaantrean"),
        now_serving=fields.printed("now_serving", "antreanpanggil"),
        note=fields.text("keterangan"),
        missing={**fields.missing, "expected_at": "not_told"},
    )


def _served(session: Session) -> Ticket:
    """A ticket of which all that is told is that it was called already."""
    names = ("number", "position", "waiting", "now_serving", "expected_at")
    return Ticket(reference=_reference(session, ""), number=None, missing=dict.fromkeys(names, "not_told"))


def _reference(session: Session, number: str) -> str:
    """Numbers begin anew for each clinic and day."""
    return f"{session.day.isoformat()}/{session.clinic}/{number}"


def _is_asked_for(told: Session, asked: Session) -> bool:
    """Where it tells no doctor or hours apart, its only queue is the one that was asked for."""
    same_doctor = not asked.doctor or told.doctor in ("", asked.doctor)
    return same_doctor and (not asked.hours or told.hours in ("", hours(asked.hours)))


def _only(answer: Envelope) -> Row:
    return next(iter(rows(answer.response)), {})

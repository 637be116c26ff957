"""The health port over one hospital's Antrean RS."""

import re
import time
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from app.agency_answers import Envelope, Fields, rows, text
from app.agency_client import AgencyClient
from app.agency_envelope import OK
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from integrations.antrean_rs.client import AntreanRsClient, Asked
from integrations.antrean_rs.forms import session_fields, ticket_fields
from integrations.standards.antrean.patients import PatientForm
from integrations.standards.antrean.refusals import CHECKED_IN, refusal
from services.health.port import HealthPort, Patient, Place, Queue, Session, Ticket, TicketRequest

_BOOKING = re.compile(r"[A-Za-z0-9._/-]{1,40}")


class AntreanRsHealth(HealthPort):
    """Speaks to one hospital."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._cancel_note = client.backend.settings["cancel_note"]
        self._zone = ZoneInfo(client.backend.settings["time_zone"])
        self._client = AntreanRsClient(client)
        self._patients = PatientForm(client.backend)

    async def queues(self, session: Session) -> Sequence[Queue]:
        """It knows queues by doctor and hours only, which its own people publish."""
        told = rows((await self._ask("status", session_fields(session))).response)
        if not told:
            raise AgencyUnavailable(self._name, "status", "no queue in its answer", code="unreadable")
        return [_queue(row, session) for row in told]

    async def take(self, request: TicketRequest) -> Ticket:
        answer = await self._ask("take", ticket_fields(request), request.reference)
        row = _only(answer)
        if not _BOOKING.fullmatch(text(row.get("kodebooking"))):
            raise OutcomeUnknown(self._name, "take", "accepted, but no booking code in its answer")
        return self._ticket(row)

    async def register(self, patient: Patient) -> str:
        answer = await self._ask("register", self._patients.fields(patient), patient.reference)
        return text(_only(answer).get("norm"))

    async def find(self, request: TicketRequest) -> Ticket | None:
        raise NotOffered(self._name, "find", "finds tickets by their booking code only")

    async def place(self, request: TicketRequest, reference: str) -> Place:
        row = _only(await self._ask("remaining", {"kodebooking": self._booking(reference)}))
        if not row:
            raise AgencyUnavailable(self._name, "remaining", "no ticket in its answer", code="unreadable")
        fields = Fields(row)
        left = fields.whole("before", "sisaantrean")
        return Place(
            number=fields.printed("number", "nomorantrean"),
            # It counts the ticket itself among those that are left, as its waiting time shows.
            before=None if left is None else max(left - 1, 0),
            now_serving=fields.printed("now_serving", "antreanpanggil"),
            wait_s=fields.left("wait_s", "waktutunggu"),
            note=fields.text("keterangan"),
            missing=fields.missing,
        )

    async def cancel(self, request: TicketRequest, reference: str, reason: str) -> None:
        fields = {"kodebooking": self._booking(reference), "keterangan": reason or self._cancel_note}
        try:
            await self._ask("cancel", fields, request.reference)
        except AgencyRejected as refused:
            if refused.code != "ticket_unknown":
                raise

    async def check_in(self, request: TicketRequest, reference: str) -> None:
        fields = {"kodebooking": self._booking(reference), "waktu": int(time.time() * 1000)}
        try:
            await self._ask("check_in", fields, request.reference)
        except AgencyRejected as refused:
            if refused.code != CHECKED_IN:
                raise

    async def _ask(self, operation: Asked, fields: Mapping[str, object], reference: str = "") -> Envelope:
        answer = await self._client.ask(operation, fields, reference)
        if answer.code != OK:
            raise refusal(self._name, operation, answer)
        return answer

    def _booking(self, reference: str) -> str:
        if not _BOOKING.fullmatch(reference):
            raise AgencyRejected(self._name, "read", "no booking code", code="ticket_unknown")
        return reference

    def _ticket(self, row: Mapping[str, object]) -> Ticket:
        fields = Fields(row)
        return Ticket(
            reference=fields.text("kodebooking"),
            number=fields.printed("number", "nomorantrean"),
            position=fields.whole("position", "angkaantrean"),
            clinic_name=fields.text("namapoli"),
            doctor_name=fields.text("namadokter"),
            waiting=fields.left("waiting", "sisaantrean"),
            now_serving=fields.printed("now_serving", "antreanpanggil"),
            expected_at=fields.moment("expected_at", "estimasidilayani", self._zone),
            record_number=fields.text("norm"),
            note=fields.text("keterangan"),
            missing=fields.missing,
        )


def _queue(row: Mapping[str, object], asked: Session) -> Queue:
    fields = Fields(row)
    return Queue(
        session=asked,
        clinic_name=fields.text("namapoli"),
        doctor_name=fields.text("namadokter"),
        tickets=fields.whole("tickets", "totalantrean"),
        waiting=fields.left("waiting", "sisaantrean"),
        now_serving=fields.printed("now_serving", "antreanpanggil"),
        quota=fields.whole("quota", "kuotajkn"),
        quota_left=fields.left("quota_left", "sisakuotajkn"),
        quota_others=fields.whole("quota_others", "kuotanonjkn"),
        quota_others_left=fields.left("quota_others_left", "sisakuotanonjkn"),
        note=fields.text("keterangan"),
        missing=fields.missing,
    )


def _only(answer: Envelope) -> Mapping[str, object]:
    return next(iter(rows(answer.response)), {})

"""Queue tickets as app.cases sees them: the module's own rules, and asking the facility of a case through its port."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import msgspec

from app.cases.port import Applicant, CaseData, CaseHandler, Progress, Receipt, Status
from app.catalog.facilities import Clinic, Facility
from app.errors import AgencyRejected, AgencyUnavailable, AlreadyThere, FieldError, NotOffered, OutcomeUnknown
from app.facilities import Branch
from app.texts import text
from services.health.facilities import day_faults, is_over, sessions_on, today_at
from services.health.port import HealthPort, Patient, Session, Ticket, TicketRequest

MODULE = "health"
# A ticket that the facility gave without our hearing its number: the patient asks for it at the desk.
UNNUMBERED = "unnumbered/"
# A facility that cannot be asked is asked for the ticket once more, to learn whether it has it: only so long after.
_ASKED_AGAIN_WITHIN = timedelta(minutes=10)


class HealthCases(CaseHandler):
    """The module's services as app.cases sees them."""

    one_per_lane: ClassVar[bool] = True
    repeats_withdrawals: ClassVar[bool] = True

    def __init__(self, branches: Mapping[str, Branch[HealthPort]]) -> None:
        self._branches = branches

    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        branch = self._branches.get(self.facility(form))
        if branch is None or branch.port is None:
            return [FieldError("/form/facility", "facility_not_connected")]
        clinic = branch.facility.find_clinic(str(form["clinic"]))
        if clinic is None:
            return [FieldError("/form/clinic", "clinic_not_here", {"facility": branch.facility.name})]
        faults = [
            *day_faults(branch.facility, session_of(form).day, "/form/visit_on"),
            *_patient_faults(form, applicant),
        ]
        return faults or [*_session_faults(branch.facility, clinic, session_of(form)), *_referral_faults(form)]

    def facility(self, form: Mapping[str, object]) -> str:
        return str(form.get("facility", ""))

    def lane(self, service: str, applicant: Applicant, form: Mapping[str, object]) -> str:
        """One ticket for a person, clinic and day, whoever of the family asks."""
        return f"{_nik(form, applicant)}|{form['clinic']}|{form['visit_on']}"

    async def submit(self, case: CaseData) -> Receipt:
        port, request = self._port(case), ticket_request(case)
        try:
            return _receipt(await port.take(request))
        except AgencyRejected as refused:
            if refused.code != "patient_unknown" or case.form.get("newcomer") != "yes":
                raise
        record_number = await _register(port, case)
        return _receipt(await port.take(msgspec.structs.replace(request, record_number=record_number)))

    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        """A facility gives one ticket for a person, clinic and day: whichever is found is this one."""
        port, request = self._port(case), ticket_request(case)
        try:
            ticket = await port.find(request)
        except NotOffered:
            return await self._ask_again(case, request)
        return _receipt(ticket) if ticket else None

    async def progress(self, case: CaseData) -> Progress:
        facility, request = self._branches[self.facility(case.form)].facility, ticket_request(case)
        today = today_at(facility)
        if today > request.session.day:
            return Progress("completed")
        if today < request.session.day or case.agency_reference.startswith(UNNUMBERED):
            return Progress("in_review")
        try:
            await self._port(case).place(request, case.agency_reference)
        except NotOffered:
            return Progress("in_review")
        except AgencyRejected as refused:
            return Progress(_AFTERWARDS.get(refused.code, "in_review"))
        return Progress("in_review")

    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        raise NotOffered(MODULE, "answer", "a facility asks nothing about a ticket")

    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        if case.agency_reference.startswith(UNNUMBERED):
            raise NotOffered(MODULE, "withdraw", "the facility did not tell the ticket's number")
        words = reason or text("health.cancelled_by_patient", "id")
        await self._port(case).cancel(ticket_request(case), case.agency_reference, words)
        return Receipt(case.agency_reference)

    async def _ask_again(self, case: CaseData, request: TicketRequest) -> Receipt | None:
        """Where tickets cannot be looked up, the facility's refusal of a second one tells that the first is there."""
        if datetime.now(UTC) - case.submitted_at > _ASKED_AGAIN_WITHIN:
            raise OutcomeUnknown(MODULE, "find", "too late to ask for the ticket once more")
        try:
            return _receipt(await self._port(case).take(request))
        except AlreadyThere:
            return Receipt(f"{UNNUMBERED}{case.number}", product={"ticket_number": ""}, status="in_review")
        except AgencyRejected as refused:
            if refused.code in _PERHAPS_OURS:
                raise OutcomeUnknown(refused.backend, refused.operation, refused.detail) from None
            raise
        except OutcomeUnknown as lost:
            # Harmless to try again: it never gives two.
            raise AgencyUnavailable(lost.backend, lost.operation, lost.detail) from None

    def _port(self, case: CaseData) -> HealthPort:
        branch = self._branches.get(self.facility(case.form))
        if branch is None or branch.port is None:
            raise AgencyUnavailable(MODULE, "connect", f"{self.facility(case.form)} is not connected")
        return branch.port


# Who refuses so may have given the last ticket to us, or says in words we do not know that we have one.
_PERHAPS_OURS = ("quota_full", "refused")
_AFTERWARDS: Mapping[str, Status] = {"already_served": "completed", "ticket_unknown": "expired"}


def session_of(form: Mapping[str, object]) -> Session:
    """What a form asks a ticket for."""
    return Session(
        clinic=str(form["clinic"]),
        day=date.fromisoformat(str(form["visit_on"])),
        doctor=str(form.get("doctor", "")),
        hours=str(form.get("hours", "")),
    )


def ticket_request(case: CaseData) -> TicketRequest:
    """The ticket that a case is about."""
    form = case.form
    return msgspec.convert(
        {
            "reference": case.number,
            "session": session_of(form),
            "nik": _nik(form, case.applicant),
            "name": form.get("family_name", case.applicant.name),
            "phone": case.applicant.phone,
            "card_number": form.get("card_number", ""),
            "complaint": form["complaint"],
            "visit": form.get("visit", ""),
            "referral": form.get("referral", ""),
        },
        TicketRequest,
    )


async def _register(port: HealthPort, case: CaseData) -> str:
    """Make the patient known; their record number, "" where none is told."""
    form, applicant = case.form, case.applicant
    patient = msgspec.convert(
        {
            "reference": case.number,
            "nik": _nik(form, applicant),
            "name": form.get("family_name", applicant.name),
            "birth_date": form.get("family_birth_date", applicant.birth_date.isoformat()),
            "phone": applicant.phone,
            **{name: form[name] for name in ("family_card_number", "sex", "address", "village_code", "rt", "rw")},
            "card_number": form.get("card_number", ""),
        },
        Patient,
    )
    try:
        return await port.register(patient)
    except AgencyRejected as refused:
        if refused.code != "patient_exists":
            raise
        return ""


def _nik(form: Mapping[str, object], applicant: Applicant) -> str:
    return str(form.get("family_nik", applicant.nik))


def _receipt(ticket: Ticket) -> Receipt:
    told = {
        "ticket_number": ticket.number or "",
        "position": str(ticket.position) if ticket.position is not None else "",
        "expected_at": ticket.expected_at.isoformat() if ticket.expected_at else "",
    }
    return Receipt(ticket.reference, product=told, status="in_review")


def _patient_faults(form: Mapping[str, object], applicant: Applicant) -> Iterator[FieldError]:
    if form.get("family_nik") == applicant.nik:
        yield FieldError("/form/family_nik", "family_is_yourself")
    born = form.get("family_birth_date")
    if born is not None and date.fromisoformat(str(born)) > datetime.now(UTC).date():
        yield FieldError("/form/family_birth_date", "birth_in_future")


def _session_faults(facility: Facility, clinic: Clinic, asked: Session) -> Iterator[FieldError]:
    if clinic.practice and asked not in sessions_on(clinic, asked.day):
        yield FieldError("/form/doctor", "doctor_not_there")
    elif is_over(facility, asked):
        yield FieldError("/form/hours", "hours_passed")


def _referral_faults(form: Mapping[str, object]) -> Iterator[FieldError]:
    if form.get("payer") == "bpjs" and not form.get("referral"):
        yield FieldError("/form/referral", "required")

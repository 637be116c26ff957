"""What citizens see of tickets and membership, and checking in; without HTTP."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.agency_reads import Seen, Wanted
from app.asking import said_for
from app.audit.actions import AuditEntry, record_on
from app.cases.applicants import load_applicant
from app.cases.casedata import CASE_DATA_COLUMNS, FORM_CONTEXT, case_data, require_unrestricted
from app.cases.port import CaseData
from app.cases.timeline import CHANNEL, Line
from app.cases.tools import CaseTools
from app.cases.writes import change_case, lock_own_case
from app.consents.actions import require_case_consents, require_consent
from app.database import utc_now
from app.errors import AgencyError, AgencyRejected, Conflict, NotFound, NotOffered, Unavailable
from app.facilities import Branch
from app.texts import Language, has_text, text
from services.health.cases import MODULE, UNNUMBERED, session_of, ticket_request
from services.health.facilities import today_at
from services.health.port import HealthPort, Membership, MembershipPort, Missing, Queue, Session
from services.health.queues import LiveQueues, Look

MEMBERSHIP_CONSENT = "health-membership"
BUDGET_S = 5.0
# What was told is not shown longer than a withdrawn consent may take to be heeded.
MEMBERSHIP_FRESH_S, MEMBERSHIP_STALE_S = 15.0, 60.0
RETRY_AFTER_S = 10
# What a question has when its time is over is there this much later.
_AT_ONCE_S = 0.02
_WITH_TICKET = ("in_review", "approved", "completed")
_TICKET = "SELECT id, number, service, status, product, form_enc, agency_reference, updated_at FROM cases"
_MINE = f"{_TICKET} WHERE id = $1 AND citizen_id = $2 AND module = $3"
# Of a delegate's, what the delegation covers.
_OPEN = f"""
{_TICKET} WHERE citizen_id = $1 AND module = $2 AND status = ANY($3) AND agency_reference IS NOT NULL AND {{}}
ORDER BY id DESC LIMIT 50
"""
_MINE_OPEN, _COVERED_OPEN = _OPEN.format(said_for("$1")), _OPEN.format("service = ANY($4::text[])")
_MINE_WHOLE = f"""
SELECT cases.id AS case_id, {CASE_DATA_COLUMNS}
FROM cases JOIN citizens ON citizens.id = cases.citizen_id
WHERE cases.id = $1 AND cases.citizen_id = $2 AND cases.module = $3
"""  # noqa: S608 - constants of ours
_NUMBER = re.compile(r"^(?P<letters>.*?)(?P<running>[0-9]{1,6})$")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket and where it stands. `queue` is its doctor's, None where that is not known."""

    case_id: UUID
    number: str
    service: str
    status: str
    branch: Branch[HealthPort]
    session: Session
    ticket_number: str | None
    come_at: datetime | None
    look: Look
    queue: Queue | None
    before: int | None
    called: bool | None
    missing: Mapping[str, Missing]


class Tickets:
    """Citizens' tickets at the facilities."""

    def __init__(self, branches: Mapping[str, Branch[HealthPort]], live: LiveQueues, cases: CaseTools) -> None:
        self._branches = branches
        self._live = live
        self._cases = cases

    async def standing(self, case_id: UUID, citizen_id: UUID) -> Standing:
        """Raises NotFound for another person's, Conflict where the facility has given no ticket, or not yet."""
        async with self._cases.database.connection() as connection:
            row = await connection.fetchrow(_MINE, case_id, citizen_id, MODULE)
        if row is None:
            raise NotFound("case_not_found")
        if row["agency_reference"] is None or row["status"] not in _WITH_TICKET:
            raise Conflict("ticket_not_there", params={"status": row["status"]})
        branch, session = self._place(row)
        return _standing(row, branch, session, await self._look(branch, session))

    async def to_come(
        self, citizen_id: UUID, services: Sequence[str] | None, left_s: float | None
    ) -> Sequence[Standing]:
        """Tickets of today and of days to come, of these services or of all. Of today's each is with its queue, where
        that is known within `left_s`; else as it was when the case last changed."""
        given = (citizen_id, MODULE, list(_WITH_TICKET[:-1]))
        if services is None:
            rows = await self._cases.database.fetch_said(_MINE_OPEN, *given)
        else:
            rows = await self._cases.database.fetch(_COVERED_OPEN, *given, services)
        held = [(row, *self._place(row)) for row in rows]
        held = [each for each in held if each[2].day >= today_at(each[1].facility)]
        today = [each for each in held if each[2].day == today_at(each[1].facility)]
        looks = {row["id"]: asyncio.create_task(self._look(branch, session)) for row, branch, session in today}
        try:
            if looks:
                await asyncio.wait(looks.values(), timeout=None if left_s is None else left_s + _AT_ONCE_S)
            return [_standing(*each, _known(looks.get(each[0]["id"]), each[0])) for each in held]
        finally:
            for look in looks.values():
                look.cancel()

    def _place(self, row: Mapping[str, Any]) -> tuple[Branch[HealthPort], Session]:
        form = msgspec.json.decode(self._cases.vault.decrypt(row["form_enc"], FORM_CONTEXT))
        return self._branches[form["facility"]], session_of(form)

    async def check_in(self, case_id: UUID, citizen_id: UUID) -> None:
        """Tell the facility that the patient is there. Raises NotFound, Conflict, Unavailable."""
        async with self._cases.database.connection() as connection:
            row = await connection.fetchrow(_MINE_WHOLE, case_id, citizen_id, MODULE)
            await require_case_consents(connection, case_id)
        if row is None:
            raise NotFound("case_not_found")
        require_unrestricted(row)
        case = case_data(row, self._cases)
        branch = self._branches[str(case.form["facility"])]
        if row["status"] != "in_review" or not case.agency_reference:
            raise Conflict("ticket_not_there", params={"status": row["status"]})
        if session_of(case.form).day != today_at(branch.facility):
            raise Conflict("check_in_not_today")
        await _tell_presence(branch, case)
        await self._note_presence(case_id, citizen_id)

    async def _note_presence(self, case_id: UUID, citizen_id: UUID) -> None:
        async with self._cases.database.begin() as connection:
            held = await lock_own_case(connection, case_id, citizen_id)
            await change_case(connection, held, Line("checked_in", held["status"], step_key="checked_in"))
        self._cases.valkey.announce(CHANNEL, str(case_id).encode())

    async def _look(self, branch: Branch[HealthPort], session: Session) -> Look:
        # Where the facility tells its doctors itself, all who wait at a clinic share one question.
        clinic = branch.facility.find_clinic(session.clinic)
        asked = session if clinic is not None and clinic.practice else Session(session.clinic, session.day)
        return await self._live.look(branch.facility.id, branch.port, asked)


async def read_membership(citizen_id: UUID, port: MembershipPort, cases: CaseTools) -> Seen[Membership]:
    """What the insurer tells of the citizen. Audited at every look; kept for a minute, for the citizen alone.

    Raises Forbidden without consent, NotFound where the insurer knows no member, Unavailable.
    """
    async with cases.database.begin() as connection:
        await require_consent(connection, citizen_id, MEMBERSHIP_CONSENT, cases.catalog)
        applicant = await load_applicant(connection, citizen_id, cases)
        entry = AuditEntry(
            actor_kind="citizen",
            actor_id=str(citizen_id),
            action="membership.read",
            subject_id=citizen_id,
            object_kind="membership",
            object_id=str(citizen_id),
            purpose=MEMBERSHIP_CONSENT,
            legal_basis="consent",
            fields=("nik", "membership"),
        )
        await record_on(connection, entry)
    today = utc_now().astimezone(cases.catalog.timezone).date()

    async def ask() -> Membership:
        found = await port.membership(applicant.nik, today)
        if found is None:
            raise NotFound("membership_not_found")
        return found

    try:
        return await cases.reads.get(_membership_wanted(citizen_id, today), Membership, ask)
    except AgencyRejected:
        raise Conflict("membership_refused") from None
    except AgencyError:
        raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None


def _membership_wanted(citizen_id: UUID, today: date) -> Wanted:
    """Another day is another question: the insurer answers for a day."""
    who = str(citizen_id)
    return Wanted(
        what="health.membership",
        subject=who,
        actor=who,
        scope=today.isoformat(),
        fresh_s=MEMBERSHIP_FRESH_S,
        stale_s=MEMBERSHIP_STALE_S,
        budget_s=BUDGET_S,
    )


def refusal_text(code: str, language: Language) -> str:
    """A facility's refusal in our words."""
    key = f"delivery_reason.{code}"
    return text(key if has_text(key) else "delivery_reason.refused", language)


async def _tell_presence(branch: Branch[HealthPort], case: CaseData) -> None:
    if branch.port is None or case.agency_reference.startswith(UNNUMBERED):
        raise Conflict("check_in_not_offered")
    try:
        async with asyncio.timeout(BUDGET_S):
            await branch.port.check_in(ticket_request(case), case.agency_reference)
    except NotOffered:
        raise Conflict("check_in_not_offered") from None
    except AgencyRejected as refused:
        code = refused.code or "refused"
        raise Conflict("check_in_refused", params={"reason_code": code}) from None
    except (AgencyError, TimeoutError):
        # It may have heard: telling it once more does no harm.
        raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None


def _known(look: asyncio.Task[Look] | None, row: Mapping[str, Any]) -> Look:
    """What is known of a ticket's queue. Of another day's none is asked for; where none was to be had, the ticket is
    known as it was when its case last changed."""
    if look is None:
        return Look("fresh", utc_now())
    found = look.result() if look.done() else None
    return found if found is not None and found.state != "failed" else Look("failed", row["updated_at"])


def _standing(row: Mapping[str, Any], branch: Branch[HealthPort], session: Session, look: Look) -> Standing:
    product = row["product"] or {}
    ticket_number = product.get("ticket_number") or None
    queue = next((each for each in look.queues if _is_its(each.session, session)), None)
    missing: dict[str, Missing] = {}
    now_serving = queue.now_serving if queue else None
    if now_serving is None:
        missing["now_serving"] = queue.missing.get("now_serving", "not_told") if queue else "backend_failed"
    ahead = _ahead(ticket_number, now_serving)
    if ticket_number is None:
        missing["ticket_number"] = "not_told"
    if ahead is None:
        missing["before"] = missing["called"] = missing.get("now_serving", "not_comparable")
    if not product.get("expected_at"):
        missing["come_at"] = "not_told"
    return Standing(
        case_id=row["id"],
        service=row["service"],
        number=row["number"],
        status=row["status"],
        branch=branch,
        session=session,
        ticket_number=ticket_number,
        come_at=datetime.fromisoformat(product["expected_at"]) if product.get("expected_at") else None,
        look=look,
        queue=queue,
        before=None if ahead is None else max(ahead - 1, 0),
        called=None if ahead is None else ahead <= 0,
        missing=missing,
    )


def _is_its(told: Session, asked: Session) -> bool:
    """Whether a queue is the ticket's: what either side does not tell apart is the same."""
    return all(not mine or not theirs or mine == theirs for mine, theirs in _told_apart(asked, told))


def _told_apart(asked: Session, told: Session) -> tuple[tuple[str, str], tuple[str, str]]:
    return (asked.doctor, told.doctor), (asked.hours, told.hours)


def _ahead(mine: str | None, now_serving: str | None) -> int | None:
    """How far the called number is behind mine; None where they are not of one series. Before the first call ("") all
    numbers up to mine are to come."""
    ours, theirs = _NUMBER.match(mine or ""), _NUMBER.match(now_serving or "")
    if ours is not None and now_serving == "":
        return int(ours["running"])
    if ours is None or theirs is None or ours["letters"] != theirs["letters"]:
        return None
    return int(ours["running"]) - int(theirs["running"])

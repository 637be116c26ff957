"""What became of a delivery, and what an agency says of a case, written into the case in one transaction."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.cases.claims import Claim, Outcome, settle
from app.cases.delivered import FIRST_REFRESH_S, settle_delivered
from app.cases.port import Progress, Status
from app.cases.refusals import OTHER, reason_code
from app.cases.states import FINAL, may_move
from app.cases.timeline import Line, add_line
from app.cases.waiting import due_after_waiting
from app.cases.writes import HELD_COLUMNS, change_case, fetch_one
from app.database import Connection
from app.inbox.actions import Notice, notify_on
from app.privacy import Vault
from app.texts import has_text

log = logging.getLogger("loket.cases")

_HOLD = f"SELECT {HELD_COLUMNS} FROM cases WHERE id = $1 FOR UPDATE"  # noqa: S608 - a constant of ours
_LINKED_ELSEWHERE = """
SELECT EXISTS (SELECT 1 FROM cases WHERE backend = $1 AND agency_reference = $2 AND id <> $3)
"""
# The reason of a case that ends because its agency's system could not be reached, and surely has nothing of it.
NOT_REACHED = "agency_unavailable"


async def settle_case(connection: Connection, held: Claim, outcome: Outcome) -> None:
    """Write an outcome, all of it or nothing. Raises app.cases.claims.Stale, with nothing written, where the claim is
    not the newest."""
    plain = outcome.status is None and not outcome.product
    if outcome.state == "delivered" and held.operation == "submit" and plain:
        if await settle_delivered(connection, held, outcome):
            return
        outcome = _taken(outcome)
    async with connection.transaction():
        await settle_asked(connection, held, outcome, asked=False)


async def settle_asked(
    connection: Connection, held: Claim, outcome: Outcome, *, asked: bool = True
) -> Mapping[str, Any]:
    """The same in the caller's transaction; the case's row (VIEW_COLUMNS). `asked`: the citizen waits for it, and is
    told of a refusal without a message."""
    row = await hold(connection, held.case_id)
    if outcome.state == "delivered" and held.operation == "submit":
        reference = outcome.reference or ""
        if await is_linked_elsewhere(connection, held.backend, reference, held.case_id):
            outcome = _taken(outcome)
    await settle(connection, held, outcome)
    if held.operation == "submit":
        return await _settle_submission(connection, row, outcome, asked=asked)
    if held.operation == "withdraw" and outcome.state == "delivered" and may_move(row["status"], "withdrawn"):
        # What the agency took back is free again: its next ticket may have the same number.
        return await change_case(
            connection,
            row,
            Line("withdrawn", "withdrawn"),
            status="withdrawn",
            agency_reference=None,
            next_refresh_at=None,
        )
    return row


async def hold(connection: Connection, case_id: UUID) -> Mapping[str, Any]:
    """The case's row, held until the transaction ends."""
    return await fetch_one(connection, _HOLD, case_id)


async def is_linked_elsewhere(connection: Connection, backend: str, reference: str, case_id: UUID) -> bool:
    """Whether the agency's number belongs to another case."""
    return bool(await connection.fetchval(_LINKED_ELSEWHERE, backend, reference, case_id))


def _taken(outcome: Outcome) -> Outcome:
    detail = f"{outcome.reference} is another case's"
    return Outcome(state="needs_operator", unknown=True, reason="reference_taken", detail=detail, said=outcome.said)


async def _settle_submission(
    connection: Connection, row: Mapping[str, Any], outcome: Outcome, *, asked: bool
) -> Mapping[str, Any]:
    if outcome.state == "delivered":
        return await _settle_delivered(connection, row, outcome)
    if outcome.state == "rejected" and outcome.reason == "withdrawn":
        return await change_case(connection, row, None, delivery_state=None)
    if outcome.state == "rejected":
        ending: Status = "expired" if outcome.reason == NOT_REACHED else "rejected"
        status = ending if may_move(row["status"], ending) else row["status"]
        if not asked:
            await tell(connection, row, f"case_{ending}")
        reason = outcome.reason or ""
        line = Line("not_reached" if ending == "expired" else "delivery_rejected", status, {"reason_code": reason})
        return await change_case(
            connection, row, line, status=status, delivery_state="rejected", delivery_reason=reason
        )
    if outcome.state == "needs_operator":
        line = Line("with_officer", row["status"])
        return await change_case(connection, row, line, delivery_state="needs_operator")
    if row["delivery_state"] != outcome.state:
        return await change_case(connection, row, None, delivery_state=outcome.state)
    return row


async def _settle_delivered(connection: Connection, row: Mapping[str, Any], outcome: Outcome) -> Mapping[str, Any]:
    moves = outcome.status is not None and may_move(row["status"], outcome.status)
    status = outcome.status if moves and outcome.status else row["status"]
    values: dict[str, Any] = {"product": dict(outcome.product)} if outcome.product else {}
    await tell(connection, row, "case_delivered", reference=outcome.reference or "")
    return await change_case(
        connection,
        row,
        Line("delivered", status, {"reference": outcome.reference}),
        status=status,
        delivery_state="delivered",
        agency_reference=outcome.reference,
        next_refresh_at=None if status in FINAL else datetime.now(UTC) + timedelta(seconds=FIRST_REFRESH_S),
        **values,
    )


def sealed_words(progress: Progress, vault: Vault) -> Progress:
    """The same with the agency's own words sealed, as they are stored."""
    steps = [msgspec.structs.replace(step, label=vault.seal(step.label)) for step in progress.steps]
    question = vault.seal(progress.question) if progress.question else ""
    reason = vault.seal(progress.reason) if progress.reason else ""
    code = progress.reason_code or reason_code(progress.reason)
    return msgspec.structs.replace(progress, steps=steps, question=question, reason=reason, reason_code=code)


async def unanswered(connection: Connection, case_id: UUID, progress: Progress, asked_at: datetime) -> Progress:
    """The same without its question, where the citizen has answered it already. `asked_at`, by PostgreSQL's clock: the
    agency may not have known then what it was handed since."""
    row = await hold(connection, case_id)
    if await connection.fetchval(_ANSWERING, case_id, asked_at):
        return msgspec.structs.replace(progress, status=row["status"], question="")
    return progress


# The agency asks for what the citizen has answered, as long as the answer has not reached it: nobody answers twice.
_ANSWERING = """
SELECT EXISTS (
    SELECT FROM deliveries WHERE case_id = $1 AND operation = 'answer'
        AND (state IN ('queued', 'delivering', 'needs_operator') OR finished_at >= $2::timestamptz)
)
"""


async def apply_progress(
    connection: Connection, case_id: UUID, progress: Progress, interval_s: float, zone: ZoneInfo
) -> bool:
    """Put what the agency says now, its words sealed, into the case: new steps on the timeline, the status only along
    its arrows.

    Returns whether anything changed. Repeated, late and unordered words change nothing wrongly.
    """
    row = dict(await hold(connection, case_id))
    before = row["last_event"]
    told = {known["step_key"] for known in await connection.fetch(_TOLD_STEPS, case_id)}
    for step in progress.steps:
        if step.state != "to_come" and step.key not in told:
            told_step = Line("step", row["status"], {"label": step.label, "state": step.state}, step_key=step.key)
            row["last_event"] = await add_line(connection, case_id, row["last_event"], told_step)
    grown = row["last_event"] != before
    # Made due while it was being asked after: what was answered may be older than what was called out.
    called: datetime | None = await connection.fetchval(_CALLED, case_id)
    due = called or datetime.now(UTC) + timedelta(seconds=interval_s)
    status, line = _move(row, progress, grown=grown)
    values: dict[str, Any] = {
        "status": status,
        "last_event": row["last_event"],
        "question": progress.question or (row["question"] if status == "needs_citizen" else None),
        # A later word without it does not take back what was issued.
        "product": dict(progress.product) or row["product"],
        "refreshed_at": datetime.now(UTC),
        "next_refresh_at": None if status in FINAL else due,
    }
    if row["status"] == "needs_citizen" and status != "needs_citizen":
        values["due_on"] = await due_after_waiting(connection, row, zone)
    changed = line is not None or grown
    if changed:
        await change_case(connection, row, line, **values)
    else:
        await connection.execute(_SEEN, case_id, values["next_refresh_at"])
    if line is not None:
        await tell(connection, row, f"case_{status}", reason=progress.reason, question=progress.question)
    return changed


_CALLED = "SELECT next_refresh_at FROM cases WHERE id = $1 AND next_refresh_at <= now()"
_TOLD_STEPS = "SELECT step_key FROM case_events WHERE case_id = $1 AND step_key IS NOT NULL"
_SEEN = "UPDATE cases SET refreshed_at = now(), next_refresh_at = $2 WHERE id = $1"


def _move(row: Mapping[str, Any], progress: Progress, *, grown: bool) -> tuple[Status, Line | None]:
    current: Status = row["status"]
    if current == "needs_citizen" and progress.status == "in_review" and not grown:
        # An officer asked here, and the agency's own system, which knows of no question, says what it said before.
        return current, None
    if not may_move(current, progress.status):
        if current not in (progress.status, *FINAL):
            log.warning("case %s: the agency says %s, which does not follow %s", row["id"], progress.status, current)
        return current, None
    data = {"reason": progress.reason} if progress.reason else {}
    if progress.status == "rejected":
        data["reason_code"] = progress.reason_code or OTHER
    if progress.question:
        data["question"] = progress.question
    return progress.status, Line(progress.status, progress.status, data)


# What the citizen is told of by a message; the other moves are on the timeline.
_TOLD = {
    "case_delivered",
    "case_needs_citizen",
    "case_approved",
    "case_rejected",
    "case_completed",
    "case_expired",
    "case_late",
}


async def tell(connection: Connection, row: Mapping[str, Any], what: str, **params: str) -> None:
    """A message into the citizen's inbox, where `what` is worth one. A module with a text of its own for it wants
    nothing of the matter told: then neither the agency's number nor its words go into the message."""
    if what in _TOLD:
        given = {"number": row["number"], "service": row["service"]}
        key = f"inbox.{what}.{row['module']}"
        if not has_text(key):
            key, given = f"inbox.{what}", given | {name: value for name, value in params.items() if value}
        await notify_on(connection, Notice(row["citizen_id"], key, given, row["id"]))

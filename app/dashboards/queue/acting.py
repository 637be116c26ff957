"""What officers do with cases: give them to somebody, note, ask the citizen, have the agency's system asked anew."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.cases.settle import tell
from app.cases.timeline import Line
from app.cases.tools import CaseTools
from app.cases.writes import change_case
from app.dashboards.queue.powers import LEADS, check_asking, check_own_work
from app.dashboards.queue.reading import held
from app.dashboards.queue.schemas import Assigned, Assignment, NotAssigned, RefreshState
from app.dashboards.queue.trail import Deed, Look, audit, keep
from app.dashboards.queue.wanted import IS_OPEN, OPEN
from app.database import Connection
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.login.guards import Officer

_COLLEAGUE = """
SELECT name FROM officers
WHERE id = $1 AND agency = $2 AND state = 'active' AND role IN ('operator', 'supervisor', 'agency_head')
"""
# In one order, so that two who give many at once never wait for each other in a ring.
_HOLD = """
SELECT id, status, assignee_id FROM cases
WHERE id = ANY($1::uuid[]) AND agency = $2 AND submitted_at IS NOT NULL ORDER BY id FOR UPDATE
"""
_GIVE = f"""
UPDATE cases SET assignee_id = $2 WHERE id = ANY($1::uuid[]) AND {IS_OPEN} AND assignee_id IS DISTINCT FROM $2
RETURNING id
"""  # noqa: S608 - constants of ours
_ASK_AFTER = """
UPDATE cases SET next_refresh_at = least(next_refresh_at, now()) WHERE id = $1 AND next_refresh_at IS NOT NULL
RETURNING refreshed_at, next_refresh_at
"""


async def assign(connection: Connection, officer: Officer, asked: Assignment, tools: CaseTools) -> Assigned:
    """Each by itself: one that cannot be given is left, and named. Raises Forbidden, NotFound."""
    name = await _receiver(connection, officer, asked.officer_id)
    rows = {row["id"]: row for row in await connection.fetch(_HOLD, sorted(asked.case_ids), officer.agency)}
    done = Assigned([], [])
    for case_id in sorted(set(asked.case_ids)):
        if code := _refusal(officer, rows.get(case_id)):
            done.refused.append(NotAssigned(case_id, code))
        else:
            done.assigned.append(case_id)
    given = await connection.fetch(_GIVE, done.assigned, asked.officer_id)
    deed = Deed("assigned", target=name) if asked.officer_id else Deed("released")
    for row in given:
        await keep(connection, officer, row["id"], deed, tools.vault)
    return done


async def add_note(connection: Connection, officer: Officer, case_id: UUID, words: str, tools: CaseTools) -> None:
    """Raises NotFound, Forbidden."""
    row = await held(connection, officer, case_id)
    check_own_work(officer, row)
    await keep(connection, officer, case_id, Deed("note", words), tools.vault)


async def ask(connection: Connection, officer: Officer, case_id: UUID, question: str, tools: CaseTools) -> None:
    """Ask the citizen; the case waits for the answer, which goes on to the agency's system as every answer does.

    Raises NotFound, Forbidden, or Conflict where the agency's system has asked already or nobody can be asked.
    """
    row = await held(connection, officer, case_id)
    check_own_work(officer, row)
    check_asking(row, tools)
    sealed = tools.vault.seal(question)
    line = Line("needs_citizen", "needs_citizen", {"question": sealed})
    await change_case(connection, row, line, status="needs_citizen", question=sealed)
    await tell(connection, row, "case_needs_citizen", question=sealed)
    await keep(connection, officer, case_id, Deed("asked", question), tools.vault)
    look = Look("case.asked", row["citizen_id"], ("question",), object_id=str(case_id))
    await audit(connection, officer, look)


async def ask_after(connection: Connection, officer: Officer, case_id: UUID, tools: CaseTools) -> RefreshState:
    """Have the agency's system asked before its turn. Raises NotFound, Conflict where it is not asked."""
    await held(connection, officer, case_id)
    row: Any = await connection.fetchrow(_ASK_AFTER, case_id)
    if row is None:
        raise Conflict("case_not_asked_after")
    await keep(connection, officer, case_id, Deed("refresh_asked"), tools.vault)
    return RefreshState(row["refreshed_at"], row["next_refresh_at"])


async def _receiver(connection: Connection, officer: Officer, receiver: UUID | None) -> str:
    """The name of whom cases are given to; "" for nobody."""
    if officer.role not in LEADS and receiver not in (None, officer.id):
        raise Forbidden("case_assigned_by_supervisor")
    if receiver is None:
        return ""
    name: str | None = await connection.fetchval(_COLLEAGUE, receiver, officer.agency)
    if name is None:
        raise NotFound("officer_not_here")
    return name


def _refusal(officer: Officer, row: Any) -> str:
    """Why this officer cannot give this case; "" where they can."""
    if row is None:
        return "case_not_found"
    if row["status"] not in OPEN:
        return "case_ended"
    if officer.role not in LEADS and row["assignee_id"] not in (None, officer.id):
        return "case_not_yours"
    return ""


def all_of(given: Sequence[str]) -> list[UUID]:
    """Ids as a form sends them. Raises Unprocessable."""
    try:
        return [UUID(each) for each in given]
    except ValueError:
        raise Unprocessable from None


def one_of(given: str) -> UUID | None:
    """An officer as a form sends them; None for nobody. Raises Unprocessable."""
    return all_of([given])[0] if given else None

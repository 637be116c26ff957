"""What an officer does with a case from the terminal: look at it, and ask its citizen something."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.cases.casedata import FORM_CONTEXT
from app.cases.numbers import is_case_number
from app.cases.settle import tell
from app.cases.states import may_move
from app.cases.timeline import Line
from app.cases.tools import CaseTools
from app.cases.writes import HELD_COLUMNS, change_case
from app.database import Connection
from app.errors import Conflict, NotFound

_BY_NUMBER = f"SELECT {HELD_COLUMNS} FROM cases WHERE number = $1 FOR UPDATE"  # noqa: S608 - a constant of ours
_TIMELINE = "SELECT seq, at, kind, status, data FROM case_events WHERE case_id = $1 ORDER BY seq"
_DELIVERIES = """
SELECT operation, state, attempts, unknown, reference, reason, detail, next_try_at FROM deliveries WHERE case_id = $1
ORDER BY id
"""


async def ask_citizen(connection: Connection, number: str, question: str, officer: str) -> Mapping[str, Any]:
    """Ask the citizen something, in sealed words. Raises NotFound, or Conflict where the case is past asking."""
    held = await _held(connection, number)
    if not may_move(held["status"], "needs_citizen"):
        raise Conflict("case_past_asking", params={"status": held["status"]})
    changed = await change_case(
        connection,
        held,
        Line("needs_citizen", "needs_citizen", {"question": question}),
        status="needs_citizen",
        question=question,
    )
    await _audit(connection, held, officer, "case.asked")
    await tell(connection, held, "case_needs_citizen", question=question)
    return changed


async def show_case(connection: Connection, number: str, officer: str, tools: CaseTools) -> Mapping[str, Any]:
    """The whole case with its form, timeline and deliveries. Audited. Raises NotFound."""
    held = await _held(connection, number)
    await _audit(connection, held, officer, "case.read")
    shown = {
        name: held[name] for name in ("id", "number", "service", "status", "question", "agency_reference", "due_on")
    }
    shown["form"] = msgspec.json.decode(tools.vault.decrypt(held["form_enc"], FORM_CONTEXT))
    shown["question"] = tools.vault.unseal(held["question"] or "") or None
    lines = await connection.fetch(_TIMELINE, held["id"])
    shown["timeline"] = [{**row, "data": tools.vault.unseal_all(row["data"])} for row in lines]
    shown["deliveries"] = [dict(row) for row in await connection.fetch(_DELIVERIES, held["id"])]
    return shown


async def _held(connection: Connection, number: str) -> Mapping[str, Any]:
    if not is_case_number(number):
        raise NotFound("case_not_found")
    row: Mapping[str, Any] | None = await connection.fetchrow(_BY_NUMBER, number)
    if row is None:
        raise NotFound("case_not_found")
    return row


async def _audit(connection: Connection, held: Mapping[str, Any], officer: str, action: str) -> None:
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=officer,
            action=action,
            subject_id=held["citizen_id"],
            object_kind="case",
            object_id=str(held["id"]),
            purpose=held["service"],
            legal_basis="uu-25-2009",
            fields=("form", "timeline"),
        ),
    )

"""What an officer may do with a case. What they may see is part of every query."""

from collections.abc import Mapping
from typing import Any

from app.cases.immediate import is_immediate
from app.cases.states import may_move
from app.cases.tools import CaseTools
from app.dashboards.queue.schemas import Power
from app.dashboards.queue.wanted import OPEN
from app.errors import Conflict, Forbidden
from app.login.guards import Officer

LEADS = ("supervisor", "agency_head")


def handles(officer: Officer) -> bool:
    """Whether citizens' data are this officer's business: only the agency that handles a case sees whose it is."""
    return officer.agency != ""


def is_own_work(officer: Officer, row: Mapping[str, Any]) -> bool:
    """An operator works on what was given to them; who leads them, on everything."""
    return officer.role in LEADS or row["assignee_id"] == officer.id


def powers(officer: Officer, row: Mapping[str, Any], tools: CaseTools) -> list[Power]:
    if not handles(officer):
        return []
    found: list[Power] = ["refresh"] if row["next_refresh_at"] is not None else []
    if row["status"] in OPEN:
        if row["assignee_id"] is None:
            found.append("take")
        elif row["assignee_id"] == officer.id:
            found.append("release")
        if officer.role in LEADS:
            found.append("assign")
    if is_own_work(officer, row):
        found.append("note")
        if may_move(row["status"], "needs_citizen") and not is_immediate(row["service"], tools):
            found.append("ask")
    return found


def check_own_work(officer: Officer, row: Mapping[str, Any]) -> None:
    """Raises Forbidden where an operator has not taken the case."""
    if not is_own_work(officer, row):
        raise Forbidden("case_not_yours")


def check_asking(row: Mapping[str, Any], tools: CaseTools) -> None:
    """One question at a time, and none where nobody could take an answer. Raises Conflict."""
    if row["status"] == "needs_citizen":
        raise Conflict("case_asks_already")
    if is_immediate(row["service"], tools):
        raise Conflict("case_takes_no_question")
    if not may_move(row["status"], "needs_citizen"):
        raise Conflict("case_past_asking", params={"status": row["status"]})

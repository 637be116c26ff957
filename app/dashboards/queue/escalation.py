"""Clocks that come near their end, or past it: put before the agency's supervisors once each, and told to the citizen
where a case is late."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from app.cases.due import soon_until, today
from app.cases.settle import hold, tell
from app.cases.timeline import CHANNEL, Line
from app.cases.tools import CaseTools
from app.cases.writes import change_case
from app.cursor import decode_cursor, encode_cursor
from app.dashboards.queue.schemas import EscalationItem, EscalationPage
from app.dashboards.queue.wanted import CLOCK_RUNS, HANDED, IS_OPEN
from app.database import Connection
from app.ids import uuid7
from app.login.guards import Officer
from app.texts import Language

log = logging.getLogger("loket.escalation")

BATCH = 100
MOST_ROUNDS = 50
# Who waited longer than this for a word about it gets no message years later, when history is taken over.
TOLD_WITHIN = timedelta(days=14)

_DUE = f"""
SELECT cases.id, cases.due_on FROM cases
WHERE {HANDED} AND {CLOCK_RUNS} AND cases.due_on >= $1 AND cases.due_on <= $2
    AND NOT EXISTS (SELECT FROM case_escalations WHERE case_id = cases.id AND stage = $3)
ORDER BY cases.due_on LIMIT {BATCH}
"""  # noqa: S608 - constants of ours
# A promised day that has moved on (app/cases/waiting.py) comes near once more.
_TAKE_BACK = f"""
DELETE FROM case_escalations USING cases
WHERE cases.id = case_id AND stage = 'soon_late' AND {IS_OPEN} AND cases.due_on > $1
"""  # noqa: S608 - constants of ours
_RAISE = f"""
INSERT INTO case_escalations (case_id, stage, agency)
SELECT id, $2, agency FROM cases WHERE id = $1 AND {CLOCK_RUNS}
ON CONFLICT (case_id, stage) DO NOTHING RETURNING 1
"""  # noqa: S608 - constants of ours
_NOTE = "INSERT INTO case_work (id, case_id, kind) VALUES ($1, $2, $3)"
# What is late needs no word any more that it soon will be.
_SETTLE_FORMER = """
UPDATE case_escalations SET seen_at = now() WHERE case_id = $1 AND stage <> $2 AND seen_at IS NULL
"""
_UNSEEN = """
SELECT case_id, stage, case_escalations.at, number, service, due_on,
    (SELECT name FROM officers WHERE officers.id = assignee_id) AS assignee
FROM case_escalations JOIN cases ON cases.id = case_id
WHERE case_escalations.agency = $1 AND seen_at IS NULL AND case_id > $2
ORDER BY case_id LIMIT $3
"""
_SEEN = """
UPDATE case_escalations SET seen_at = now(), seen_by = $3
WHERE agency = $1 AND case_id = ANY($2::uuid[]) AND seen_at IS NULL RETURNING 1
"""


async def escalate(tools: CaseTools) -> int:
    """Put before supervisors what they have not been told of; how many there were. Two workers do no harm."""
    day = today(tools.catalog.timezone)
    async with tools.database.begin() as connection:
        await connection.execute(_TAKE_BACK, soon_until(day))
    stages = (("soon_late", day, soon_until(day)), ("late", date.min, day - timedelta(days=1)))
    raised = 0
    for stage, first, last in stages:
        for _ in range(MOST_ROUNDS):
            rows = await tools.database.fetch(_DUE, first, last, stage)
            for row in rows:
                is_told = stage == "late" and day - row["due_on"] <= TOLD_WITHIN
                raised += await _raise(tools, row["id"], stage, is_told=is_told)
            if len(rows) < BATCH:
                break
    if raised:
        log.info("%d cases put before their supervisors", raised)
    return raised


async def unseen(
    connection: Connection, officer: Officer, cursor: str | None, limit: int, shown: tuple[CaseTools, Language]
) -> EscalationPage:
    """The agency's, one for each case, oldest case first."""
    tools, language = shown
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else UUID(int=0)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_UNSEEN, officer.agency, after, limit + 1)
    items = [_item(row, tools, language) for row in rows[:limit]]
    last = encode_cursor((items[-1].case_id,)) if len(rows) > limit else None
    return EscalationPage(items, last)


async def mark_seen(connection: Connection, officer: Officer, case_ids: Sequence[UUID]) -> int:
    return len(await connection.fetch(_SEEN, officer.agency, list(case_ids), officer.name))


async def _raise(tools: CaseTools, case_id: UUID, stage: str, *, is_told: bool) -> int:
    async with tools.database.begin() as connection:
        row = await hold(connection, case_id)
        if await connection.fetchval(_RAISE, case_id, stage) is None:
            return 0
        await connection.execute(_SETTLE_FORMER, case_id, stage)
        await connection.execute(_NOTE, uuid7(), case_id, stage)
        if is_told:
            await change_case(connection, row, Line("late", row["status"]))
            await tell(connection, row, "case_late")
    if is_told:
        await tools.valkey.publish(CHANNEL, str(case_id).encode())
    return 1


def _item(row: Mapping[str, Any], tools: CaseTools, language: Language) -> EscalationItem:
    service = tools.catalog.find(row["service"])
    told = {name: row[name] for name in EscalationItem.__struct_fields__ if name != "service_title"}
    return EscalationItem(service_title=service.title.into(language) if service else row["service"], **told)

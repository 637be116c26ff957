"""Reading the queue: pages by keyset, counts that stop early, and finding one case. Nothing here names a citizen."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from app.cases.due import days_left, soon_until, today
from app.cases.numbers import as_case_number, is_case_number
from app.cases.tools import CaseTools
from app.dashboards.queue.schemas import CaseCounts, Colleague, OfficerCaseItem, OfficerCasePage
from app.dashboards.queue.trail import Look, audit
from app.dashboards.queue.wanted import (
    CLOCK_RUNS,
    HANDED,
    IS_OPEN,
    IS_UNDELIVERED,
    OPEN,
    Wanted,
    next_cursor,
    statement_of,
)
from app.database import Connection
from app.login.guards import Officer
from app.texts import Language, text

MOST_COUNTED = 1000
MOST_FOUND = 50
ITEM_COLUMNS = """
    cases.id, cases.number, cases.module, cases.service, cases.agency, cases.backend, cases.status,
    cases.delivery_state, cases.agency_reference, cases.due_on, cases.assignee_id, cases.submitted_at,
    cases.updated_at, cases.refreshed_at, cases.next_refresh_at,
    (SELECT name FROM officers WHERE officers.id = cases.assignee_id) AS assignee
"""
_OWN = f"{HANDED} AND ($1 = '' OR cases.agency = $1)"
_FOUND = f"SELECT {ITEM_COLUMNS} FROM cases WHERE {_OWN} AND"  # noqa: S608 - constants of ours
_BY_NUMBER = f"{_FOUND} cases.number = $2"
_BY_REFERENCE = f"{_FOUND} cases.backend = ANY($3::text[]) AND cases.agency_reference = $2 LIMIT {MOST_FOUND}"
_BY_CITIZEN = f"""
{_FOUND} cases.citizen_id = (SELECT id FROM citizens WHERE nik_index = $2)
ORDER BY cases.id DESC LIMIT {MOST_FOUND}
"""  # noqa: S608 - constants of ours
_CITIZEN = "SELECT citizen_id FROM cases WHERE id = $1"
_COLLEAGUES = """
SELECT id, name, role FROM officers
WHERE agency = $1 AND state = 'active' AND role IN ('operator', 'supervisor', 'agency_head') ORDER BY name LIMIT 200
"""
# By what each counts, and the index that makes it stop early.
_COUNTED = {
    "unassigned": f"cases.assignee_id IS NULL AND {IS_OPEN}",
    "mine": f"cases.assignee_id = $2 AND {IS_OPEN}",
    "late": f"{CLOCK_RUNS} AND cases.due_on < $3",
    "soon_late": f"{CLOCK_RUNS} AND cases.due_on >= $3 AND cases.due_on <= $4",
    "needs_citizen": "cases.status = 'needs_citizen'",
    "undelivered": IS_UNDELIVERED,
}

Found = Literal["number", "reference", "nik"]


async def list_page(connection: Connection, wanted: Wanted, tools: CaseTools, language: Language) -> OfficerCasePage:
    statement, given = statement_of(wanted, ITEM_COLUMNS)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(statement, *given)
    shown = [item_of(row, wanted.day, tools, language) for row in rows[: wanted.limit]]
    return OfficerCasePage(shown, next_cursor(wanted, rows))


async def counts(connection: Connection, officer: Officer, day: date) -> CaseCounts:
    """Each up to one more than MOST_COUNTED, whatever there is."""
    own = f"{HANDED} AND cases.agency = $1" if officer.agency else f"{HANDED} AND $1 = ''"
    parts = ", ".join(
        f"(SELECT count(*) FROM (SELECT FROM cases WHERE {own} AND {condition} LIMIT {MOST_COUNTED + 1}) AS up_to)"  # noqa: S608 - constants of ours
        f" AS {name}"
        for name, condition in _COUNTED.items()
    )
    given = (officer.agency, officer.id, day, soon_until(day))
    row: Any = await connection.fetchrow(f"SELECT {parts}, $2::uuid, $3::date, $4::date", *given)
    return CaseCounts(**{name: row[name] for name in _COUNTED}, most=MOST_COUNTED)


async def find(officer: Officer, sought: str, tools: CaseTools, language: Language) -> list[OfficerCaseItem]:
    """By the case's number, or the agency's own. Audited: searching is looking."""
    number = as_case_number(sought)
    by: Found = "number" if number and is_case_number(number) else "reference"
    async with tools.database.begin() as connection:
        rows = await connection.fetch(_BY_NUMBER, officer.agency, number) if by == "number" else []
        if not rows:
            # An agency's number may have the shape of ours, and its check digit by chance.
            rows = await connection.fetch(_BY_REFERENCE, officer.agency, sought, sorted(tools.systems))
        await audit(connection, officer, Look("case.searched", None, (by,), "search", by))
    day = today(tools.catalog.timezone)
    return [item_of(row, day, tools, language) for row in rows]


async def find_by_nik(officer: Officer, nik: str, tools: CaseTools, language: Language) -> list[OfficerCaseItem]:
    """One person's cases at the officer's agency, by the whole NIK. Audited, with whom it found."""
    async with tools.database.begin() as connection:
        rows = await connection.fetch(_BY_CITIZEN, officer.agency, tools.vault.index("nik", nik))
        citizen: UUID | None = await connection.fetchval(_CITIZEN, rows[0]["id"]) if rows else None
        await audit(connection, officer, Look("case.searched", citizen, ("nik",), "search", "nik"))
    day = today(tools.catalog.timezone)
    return [item_of(row, day, tools, language) for row in rows]


async def colleagues(connection: Connection, agency: str) -> list[Colleague]:
    """Whom a case of this agency can be given to."""
    return [Colleague(row["id"], row["name"], row["role"]) for row in await connection.fetch(_COLLEAGUES, agency)]


def item_of(row: Mapping[str, Any], day: date, tools: CaseTools, language: Language) -> OfficerCaseItem:
    service = tools.catalog.find(row["service"])
    due, runs = row["due_on"], row["status"] in OPEN and row["status"] != "needs_citizen"
    left = days_left(day, due) if runs and due else None
    late = left is not None and due < day
    soon = left is not None and not late and due <= soon_until(day)
    return OfficerCaseItem(
        id=row["id"],
        number=row["number"],
        service=row["service"],
        service_title=service.title.into(language) if service else row["service"],
        agency=row["agency"],
        backend=row["backend"],
        status=row["status"],
        status_text=text(f"queue.status.{row['status']}", language),
        delivery=row["delivery_state"],
        agency_reference=row["agency_reference"],
        due_on=due,
        days_left=left,
        clock="late" if late else "soon_late" if soon else None,
        assignee_id=row["assignee_id"],
        assignee=row["assignee"],
        submitted_at=row["submitted_at"],
        updated_at=row["updated_at"],
        refreshed_at=row["refreshed_at"],
        next_refresh_at=row["next_refresh_at"],
    )

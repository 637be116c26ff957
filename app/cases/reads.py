"""The hot reads of cases: plain statements on a driver connection, the owner part of every query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.asking import said_for
from app.cases import attachments
from app.cases.casedata import FORM_CONTEXT
from app.cases.schemas import CaseDetail, CasePage, CaseView
from app.cases.states import FINAL
from app.cases.timeline import event_view
from app.cases.tools import CaseTools
from app.cases.views import SHOWN_COLUMNS, VIEW_COLUMNS, case_view
from app.cursor import encode_cursor
from app.errors import NotFound
from app.login.guards import Caller
from app.texts import Language

# The timeline comes along as JSON, made in PostgreSQL: one round trip for all that a frontend shows.
_MINE_ONE = f"""
SELECT {VIEW_COLUMNS}, form_version, form_enc, (
    SELECT jsonb_agg(to_jsonb(line) ORDER BY line.seq)
    FROM (SELECT seq, at, kind, status, data FROM case_events WHERE case_id = cases.id ORDER BY seq LIMIT 500) AS line
) AS events, EXISTS (SELECT 1 FROM attachments WHERE case_id = cases.id) AS has_files
FROM cases WHERE id = $1 AND citizen_id = $2
"""  # noqa: S608 - constants of ours
_ONE = f"{_MINE_ONE} AND {said_for('$2')}"
_EVENTS = "SELECT seq, at, kind, status, data FROM case_events WHERE case_id = $1 AND seq > $2 ORDER BY seq LIMIT 500"
# Those first that wait for their citizen; of a delegate's, what the delegation covers.
_OPEN = f"""
SELECT {SHOWN_COLUMNS} FROM cases WHERE citizen_id = $1 AND status <> ALL($2::text[]) AND {{}}
ORDER BY status <> 'needs_citizen', id DESC LIMIT $3
"""  # noqa: S608 - constants of ours
_MINE_OPEN, _COVERED_OPEN = _OPEN.format(said_for("$1")), _OPEN.format("service = ANY($4::text[])")
_STANDING = "SELECT status, last_event FROM cases WHERE id = $1 AND citizen_id = $2"


class PageOf(msgspec.Struct, frozen=True):
    """Which of a citizen's cases, and how many; `after` is the last id of the page before."""

    limit: int
    status: str | None = None
    service: str | None = None
    after: UUID | None = None


async def list_cases(caller: Caller, page: PageOf, tools: CaseTools, language: Language) -> CasePage:
    """One page of the citizen's cases, newest first; for who acts for them, of those that the delegation covers."""
    statement, given = _list_statement(caller, page)
    ask = tools.database.fetch if caller.acting else tools.database.fetch_said
    rows = await ask(statement, *given)
    shown = [case_view(row, tools, language) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return CasePage(shown, encode_cursor((shown[-1].id,)) if more else None)


async def open_cases(caller: Caller, limit: int, tools: CaseTools, language: Language) -> list[CaseView]:
    """The citizen's cases that are not over; for who acts for them, of those that the delegation covers."""
    given = (caller.id, list(FINAL), limit)
    if caller.acting is None:
        rows = await tools.database.fetch_said(_MINE_OPEN, *given)
    else:
        rows = await tools.database.fetch(_COVERED_OPEN, *given, list(caller.acting.services))
    return [case_view(row, tools, language) for row in rows]


async def read_case(case_id: UUID, caller: Caller, tools: CaseTools, language: Language) -> tuple[CaseDetail, int]:
    """One case with its timeline, and its revision. Raises NotFound, for another person's too."""
    if caller.acting is None:
        rows = await tools.database.fetch_said(_ONE, case_id, caller.id)
    else:
        # A statement that says itself that it is the citizen's would be shown all of theirs.
        rows = await tools.database.fetch(_MINE_ONE, case_id, caller.id)
    if not rows:
        raise NotFound("case_not_found")
    row = rows[0]
    files: Sequence[Mapping[str, Any]] = ()
    if row["has_files"]:
        async with tools.database.connection() as connection:
            files = await attachments.of_case(connection, case_id)
    view = case_view(row, tools, language)
    detail = CaseDetail(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        form_version=row["form_version"],
        form=msgspec.Raw(tools.vault.decrypt(row["form_enc"], FORM_CONTEXT)),
        attachments=[attachments.view(each, tools.vault) for each in files],
        timeline=[event_view(_dated(event), tools.vault, language) for event in row["events"] or ()],
    )
    return detail, row["revision"]


def _dated(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**event, "at": datetime.fromisoformat(event["at"])}


async def events_after(case_id: UUID, seq: int, tools: CaseTools) -> Sequence[Mapping[str, Any]]:
    """Timeline rows after `seq`, at most 500."""
    return await tools.database.fetch(_EVENTS, case_id, seq)


async def is_over(case_id: UUID, citizen_id: UUID, seen: int, tools: CaseTools) -> bool:
    """Whether the case has ended and nothing follows event `seen`. Raises NotFound unless it is the citizen's."""
    async with tools.database.connection() as connection:
        row = await connection.fetchrow(_STANDING, case_id, citizen_id)
    if row is None:
        raise NotFound("case_not_found")
    return row["status"] in FINAL and seen >= row["last_event"]


def _list_statement(caller: Caller, page: PageOf) -> tuple[str, list[Any]]:
    """One text per combination of filters, so that PostgreSQL plans each by its own index."""
    given: list[Any] = [caller.id]
    where = ["citizen_id = $1"]
    if caller.acting is None:
        where.insert(0, said_for("$1"))
    else:
        given.append(list(caller.acting.services))
        where.append("service = ANY($2::text[])")
    for column, operator, value in (
        ("status", "=", page.status),
        ("service", "=", page.service),
        ("id", "<", page.after),
    ):
        if value is not None:
            given.append(value)
            where.append(f"{column} {operator} ${len(given)}")
    given.append(page.limit + 1)
    condition = " AND ".join(where)
    return (
        f"SELECT {SHOWN_COLUMNS} FROM cases WHERE {condition} ORDER BY id DESC LIMIT ${len(given)}",  # noqa: S608 - constants of ours
        given,
    )

"""The record of who saw whose data as an export: all that an auditor's search finds, newest first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.tools import CaseTools
from app.dashboards.auditing.schemas import RowView
from app.dashboards.auditing.search import Page, Wanted, count, place_before, place_of, search
from app.dashboards.auditing.wording import wording_in
from app.dashboards.exports.tables import BATCH, Columns, Piece, Row, Value
from app.dashboards.exports.workbook import CellKind
from app.texts import Language, text

RECORD = "audit"
FILTERS = "exports.filters"
# What the API calls them, and `action_words`: a code by itself says little to who reads a sheet.
COLUMNS: Columns = {
    "id": "number",
    "position": "number",
    "at": "moment",
    "actor_kind": "words",
    "actor_id": "words",
    "actor": "words",
    "action_words": "words",
    "action": "words",
    "subject_id": "words",
    "object_kind": "words",
    "object_id": "words",
    "purpose": "words",
    "legal_basis": "words",
    "fields": "words",
    "request_id": "words",
}


class RecordTable:
    """The record's rows piece by piece. In an export's `after` stands a row's id, as a UUID's number."""

    def __init__(self, tools: CaseTools, asked: Mapping[str, Any], batch: int = BATCH) -> None:
        self._tools, self._batch = tools, batch
        self._language: Language = asked["language"]
        self._named = wording_in(self._language)
        self._wanted = msgspec.json.decode(tools.vault.decrypt(asked["filters_enc"], FILTERS), type=Wanted)
        # What is written meanwhile is not in it.
        self._newest = place_before(asked["created_at"])

    def heading(self) -> Row:
        """The columns' names; that of the time says the zone."""
        zone = datetime.now(self._tools.catalog.timezone).tzname()
        return [text(f"exports.record_column.{name}", self._language, {"zone": zone}) for name in COLUMNS]

    def kinds(self) -> Sequence[CellKind]:
        """What stands in each column."""
        return list(COLUMNS.values())

    async def count(self) -> int:
        async with self._tools.database.connection() as connection:
            return await count(connection, self._wanted, self._newest, self._tools.catalog.timezone)

    async def piece(self, after: UUID | None) -> Piece:
        async with self._tools.database.connection() as connection:
            cursor = self._newest if after is None else await place_of(connection, after.int)
            page = Page(self._batch, cursor)
            found = await search(connection, self._wanted, page, self._tools.catalog.timezone)
        last = UUID(int=found.items[-1].id) if found.next_cursor else None
        return Piece([self._cells(row) for row in found.items], last)

    def _cells(self, row: RowView) -> Row:
        told = {
            **msgspec.structs.asdict(row),
            "at": row.at.astimezone(self._tools.catalog.timezone).isoformat(timespec="seconds"),
            "action_words": self._named("action", row.action),
            "actor_kind": text(f"auditing.kind.{row.actor_kind}", self._language),
            "object_kind": self._named("object", row.object_kind) or row.object_kind,
            "fields": "; ".join(self._named("field", field) or field for field in row.fields),
        }
        return [_cell(told[name]) for name in COLUMNS]


def _cell(value: object) -> Value:
    return value if value is None or isinstance(value, int) else str(value)

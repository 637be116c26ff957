"""The record of who saw whose data as an export: all that an auditor's search finds, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.cases.tools import CaseTools
from app.dashboards.auditing.schemas import RowView
from app.dashboards.auditing.search import Page, Wanted, count, place_before, place_of, search
from app.dashboards.exports.tables import BATCH, Piece, Row, Value

RECORD = "audit"
FILTERS = "exports.filters"


class RecordTable:
    """The record's rows piece by piece. In an export's `after` stands a row's id, as a UUID's number."""

    def __init__(self, tools: CaseTools, asked: Mapping[str, Any], batch: int = BATCH) -> None:
        self._tools, self._batch = tools, batch
        self._wanted = msgspec.json.decode(tools.vault.decrypt(asked["filters_enc"], FILTERS), type=Wanted)
        # What is written meanwhile is not in it.
        self._newest = place_before(asked["created_at"])

    def heading(self) -> Row:
        """As the API has them: who reads this file reads the other."""
        return RowView.__struct_fields__

    async def count(self) -> int:
        async with self._tools.database.connection() as connection:
            return await count(connection, self._wanted, self._newest, self._tools.catalog.timezone)

    async def piece(self, after: UUID | None) -> Piece:
        async with self._tools.database.connection() as connection:
            cursor = self._newest if after is None else await place_of(connection, after.int)
            page = Page(self._batch, cursor)
            found = await search(connection, self._wanted, page, self._tools.catalog.timezone)
        last = UUID(int=found.items[-1].id) if found.next_cursor else None
        return Piece([_cells(row) for row in found.items], last)


def _cells(row: RowView) -> Sequence[Value]:
    return [_cell(getattr(row, name)) for name in RowView.__struct_fields__]


def _cell(value: object) -> Value:
    if isinstance(value, list):
        return "; ".join(value)
    return value if value is None or isinstance(value, int) else str(value)

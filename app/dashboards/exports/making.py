"""Making an export's file, part by part: each is kept before the next begins, so another worker can go on."""

import asyncio
import io
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from app.cases.tools import CaseTools
from app.dashboards.exports.keeping import PARTS, QUEUE, ExportJob, delete_files
from app.dashboards.exports.record import RECORD, RecordTable
from app.dashboards.exports.tables import BATCH, Table, as_csv
from app.dashboards.exports.workbook import CellKind, WorkbookWriter
from app.database import AWAY, Connection
from app.ids import uuid7
from app.jobs import Queue, RetryLater

log = logging.getLogger("loket.exports")

PART_BYTES = 1024 * 1024
TRY_AGAIN_S = 5.0
# So that a spreadsheet knows the letters.
_BOM = b"\xef\xbb\xbf"
_READ = "SELECT * FROM exports WHERE id = $1"
_BEGIN = "UPDATE exports SET state = 'running', rows_total = $2 WHERE id = $1 AND state IN ('queued', 'running')"
# Of two workers one finds the number of parts that it knows.
_GROW = """
UPDATE exports SET parts = parts + 1, size = size + $3, rows_done = rows_done + $4, after = $5, rows_end = $6
WHERE id = $1 AND parts = $2 AND state = 'running' RETURNING 1
"""
_PART = "INSERT INTO export_parts (export_id, number, file_id, size) VALUES ($1, $2, $3, $4)"
_END = """
UPDATE exports SET state = $2, size = coalesce($3, size), finished_at = now()
WHERE id = $1 AND state IN ('queued', 'running') RETURNING 1
"""
_DROP = "DELETE FROM export_parts WHERE export_id = $1 RETURNING file_id"


class Maker:
    """Makes files. What it needs on the disk meanwhile lies in `folder`, without anything personal."""

    def __init__(self, tools: CaseTools, folder: Path, batch: int = BATCH) -> None:
        self._tools, self._folder, self._batch = tools, folder, batch

    def queue(self) -> Queue[Any]:
        """One at a time: an export must not take a city's workers away from its cases."""
        return Queue(QUEUE, ExportJob, self.run, 1)

    async def run(self, job: ExportJob) -> None:
        """Make it, from where it stands. Raises RetryLater where the database or the store is away."""
        try:
            await self._make(job.export_id)
        except AWAY as error:
            raise RetryLater(TRY_AGAIN_S, type(error).__name__) from error
        except Exception:
            log.exception("export %s failed", job.export_id)
            async with self._tools.database.connection() as connection:
                await connection.execute(_END, job.export_id, "failed", None)

    async def _make(self, export_id: UUID) -> None:
        rows = await self._tools.database.fetch(_READ, export_id)
        if not rows or rows[0]["state"] in ("done", "failed"):
            return
        asked = rows[0]
        table = self._table(asked)
        if asked["rows_total"] is None:
            async with self._tools.database.connection() as connection:
                await connection.execute(_BEGIN, export_id, await table.count())
        if not asked["rows_end"] and not await self._write_rows(asked, table):
            return
        if asked["format"] == "xlsx":
            await self._bind(export_id, table.kinds())
        else:
            async with self._tools.database.connection() as connection:
                await connection.execute(_END, export_id, "done", None)

    def _table(self, asked: Mapping[str, Any]) -> Table | RecordTable:
        if asked["kind"] == RECORD:
            return RecordTable(self._tools, asked, self._batch)
        return Table(self._tools.database, self._tools.catalog, asked, self._batch)

    async def _write_rows(self, asked: Mapping[str, Any], table: Table | RecordTable) -> bool:
        """Every part that is still to come; False where another worker is at it."""
        number, after = asked["parts"], asked["after"]
        while True:
            piece = await table.piece(after)
            content = await asyncio.to_thread(as_csv, piece.rows)
            if number == 0:
                content = _BOM + as_csv([table.heading()]) + content
            after = piece.after
            known = (number, len(content), len(piece.rows), after, after is None)
            if not await self._keep(asked["id"], content, known):
                return False
            if after is None:
                return True
            number += 1

    async def _keep(self, export_id: UUID, content: bytes, known: tuple[Any, ...]) -> bool:
        file_id = uuid7()
        await self._tools.files.put(file_id, content)
        async with self._tools.database.begin() as connection:
            if await connection.fetchval(_GROW, export_id, *known):
                await connection.execute(_PART, export_id, known[0], file_id, len(content))
                return True
        await self._tools.files.delete(file_id)
        return False

    async def _bind(self, export_id: UUID, kinds: Sequence[CellKind]) -> None:
        """The workbook in place of the rows it is made from."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder, "export.xlsx")
            writer = WorkbookWriter(path, kinds)
            lines = ""
            async for content in self._contents(export_id):
                lines += content.decode("utf-8-sig")
                whole, lines = _whole_rows(lines)
                await asyncio.to_thread(writer.write, whole)
            await asyncio.to_thread(writer.close)
            parts = await self._cut(path)
        async with self._tools.database.begin() as connection:
            is_ours = await connection.fetchval(_END, export_id, "done", sum(size for _, size in parts))
            made = [file_id for file_id, _ in parts]
            unwanted = await _put_instead(connection, export_id, parts) if is_ours else made
        await delete_files(self._tools.files, unwanted)

    async def _contents(self, export_id: UUID) -> AsyncIterator[bytes]:
        for row in await self._tools.database.fetch(PARTS, export_id):
            yield await self._tools.files.get(row["file_id"])

    async def _cut(self, path: Path) -> Sequence[tuple[UUID, int]]:
        """A file on the disk as parts in the store."""
        parts = []
        with path.open("rb") as file:
            while content := await asyncio.to_thread(file.read, PART_BYTES):
                parts.append((uuid7(), len(content)))
                await self._tools.files.put(parts[-1][0], content)
        return parts


async def _put_instead(connection: Connection, export_id: UUID, parts: Sequence[tuple[UUID, int]]) -> Sequence[UUID]:
    """New parts for old ones; the files of these."""
    dropped = [row["file_id"] for row in await connection.fetch(_DROP, export_id)]
    rows = [(export_id, number, file_id, size) for number, (file_id, size) in enumerate(parts)]
    await connection.executemany(_PART, rows)
    return dropped


def _whole_rows(text: str) -> tuple[Sequence[str], str]:
    """The lines of rows that are whole, and the rest. A part ends with a row."""
    # Not splitlines: a line separator of Unicode within a cell ends no row.
    return (io.StringIO(text, newline="").readlines(), "") if text.endswith("\n") else ([], text)

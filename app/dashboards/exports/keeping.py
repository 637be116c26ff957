"""An export as a job, and how long its file is kept. Apart from the making, which needs what only a worker has to hold
in memory."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from app.cases.files import FileStore
from app.cases.tools import CaseTools

QUEUE = "exports.make"
KEPT = timedelta(days=3)
PARTS = "SELECT file_id, size FROM export_parts WHERE export_id = $1 ORDER BY number"
_OLD = "SELECT id FROM exports WHERE expires_at < now() ORDER BY expires_at LIMIT 50"
_REMOVE = "DELETE FROM exports WHERE id = $1"


class ExportJob(msgspec.Struct):
    """Which one; what was asked for stands in its row."""

    export_id: UUID


async def purge_exports(tools: CaseTools) -> None:
    """Remove what is past its time, files first: what is cut off in between is found again."""
    for row in await tools.database.fetch(_OLD):
        await remove_export(tools, row["id"])


async def remove_export(tools: CaseTools, export_id: UUID) -> None:
    files = [row["file_id"] for row in await tools.database.fetch(PARTS, export_id)]
    await delete_files(tools.files, files)
    async with tools.database.connection() as connection:
        await connection.execute(_REMOVE, export_id)


async def delete_files(files: FileStore, file_ids: Sequence[UUID]) -> None:
    for file_id in file_ids:
        await files.delete(file_id)

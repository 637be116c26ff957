"""A citizen's copy: everything the product holds of them, as JSON beside their files, in ZIPs that only they fetch."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.cases.attachments import name_of, safe_name
from app.cases.tools import CaseTools
from app.database import Connection, Database, utc_now
from app.errors import NotFound
from app.ids import uuid7
from app.login.guards import Caller
from app.rights.models import DataCopy
from app.rights.registry import places
from app.rights.requests import require_proof
from app.rights.showing import shown
from app.rights.subjects import Subject, rows_of, subject_of
from app.valkey import ValkeyDown

FORMAT = "satu-loket-data/1"
# A part is ended once it is this long: it is held in memory whole, as every file is.
PART_BYTES = 32 * 1024 * 1024
KEPT = timedelta(days=7)
_OWN_PART = """
SELECT data_copies.id FROM data_copies JOIN data_requests ON data_requests.id = request_id
WHERE request_id = $1 AND part = $2 AND citizen_id = $3 AND expires_at > now()
"""
_INSERT = "INSERT INTO data_copies (id, request_id, part, size, sha256, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"
_PARTS = "SELECT id FROM data_copies WHERE request_id = $1"
_REMOVE = "DELETE FROM data_copies WHERE id = ANY($1::uuid[])"
_EXPIRED = "SELECT id FROM data_copies WHERE expires_at <= now() LIMIT 500"
Tables = Mapping[str, list[dict[str, object]]]


class Gathered(msgspec.Struct, frozen=True):
    """All that is held of a person, readable. `files`: id and name of each."""

    subject: Subject
    tables: Tables
    files: Mapping[UUID, str]
    counters: Mapping[str, str]


async def gather(connection: Connection, tools: CaseTools, citizen_id: UUID) -> Gathered:
    """Read it as it stands at one moment, in the caller's transaction."""
    subject = await subject_of(connection, tools.vault, citizen_id)
    tables: dict[str, list[dict[str, object]]] = {}
    files: dict[UUID, str] = {}
    for place in places():
        if place.table == DataCopy.__tablename__:
            continue
        rows = await rows_of(connection, tools.vault, place, subject)
        tables[place.table] = [shown(row, place, tools.vault) for row in rows]
        if place.table == "attachments":
            files |= {row["id"]: safe_name(name_of(row, tools.vault)) for row in rows}
    return Gathered(subject, tables, files, await _counters(tools, subject))


async def make_copy(tools: CaseTools, gathered: Gathered) -> list[tuple[UUID, int, bytes]]:
    """Store the parts; their ids, sizes and digests. Rows that name them are the caller's to write."""
    stored = []
    async for content in _parts(tools, gathered):
        part_id = uuid7()
        await tools.files.put(part_id, content)
        stored.append((part_id, len(content), hashlib.sha256(content).digest()))
    return stored


async def note_parts(connection: Connection, request_id: UUID, parts: list[tuple[UUID, int, bytes]]) -> None:
    """Name the stored parts, and until when they can be fetched."""
    expires_at = utc_now() + KEPT
    rows = [
        (part_id, request_id, number, size, digest, expires_at)
        for number, (part_id, size, digest) in enumerate(parts, start=1)
    ]
    await connection.executemany(_INSERT, rows)


async def read_part(tools: CaseTools, request_id: UUID, part: int, caller: Caller) -> bytes:
    """One part, for its owner. Raises NotFound, Forbidden where they have not just proven themselves."""
    async with tools.database.connection() as connection:
        part_id = await connection.fetchval(_OWN_PART, request_id, part, caller.id)
        if part_id is not None:
            await require_proof(connection, caller)
    if part_id is None:
        raise NotFound("data_copy_gone")
    return await tools.files.get(part_id)


async def remove_parts(tools: CaseTools, part_ids: list[UUID]) -> None:
    """Row and file of each."""
    async with tools.database.begin() as connection:
        await connection.execute(_REMOVE, part_ids)
    for part_id in part_ids:
        await tools.files.delete(part_id)


async def parts_of(database: Database, request_id: UUID) -> list[UUID]:
    return [row["id"] for row in await database.fetch(_PARTS, request_id)]


async def purge_copies(tools: CaseTools) -> None:
    """Remove what nobody can fetch any more."""
    await remove_parts(tools, [row["id"] for row in await tools.database.fetch(_EXPIRED)])


async def _counters(tools: CaseTools, subject: Subject) -> Mapping[str, str]:
    """What Valkey counts under their name for an hour or so."""
    try:
        return await tools.valkey.find(subject.forms)
    except ValkeyDown:
        return {}


async def _parts(tools: CaseTools, gathered: Gathered) -> AsyncIterator[bytes]:
    """ZIPs of about PART_BYTES: the data first, then the files."""
    buffer = io.BytesIO()
    archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
    await asyncio.to_thread(archive.writestr, "data.json", _data(gathered))
    for file_id, name in gathered.files.items():
        try:
            content = await tools.files.get(file_id)
        except NotFound:
            continue
        if buffer.tell() + len(content) > PART_BYTES:
            archive.close()
            yield buffer.getvalue()
            buffer = io.BytesIO()
            archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
        await asyncio.to_thread(archive.writestr, _path(file_id, name), content)
    archive.close()
    yield buffer.getvalue()


def _data(gathered: Gathered) -> bytes:
    told: dict[str, Any] = {
        "format": FORMAT,
        "made_at": utc_now(),
        "citizen_id": gathered.subject.id,
        "merged_accounts": [each for each in gathered.subject.ids if each != gathered.subject.id],
        "tables": gathered.tables,
        "files": [{"attachment_id": file_id, "path": _path(file_id, name)} for file_id, name in gathered.files.items()],
        "counters": gathered.counters,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def _path(file_id: UUID, name: str) -> str:
    return f"files/{file_id}/{name}"

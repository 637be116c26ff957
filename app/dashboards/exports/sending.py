"""Sending an export's file, whole or the range of it that a broken download still lacks (RFC 9110, 14)."""

import re
from typing import Any
from uuid import UUID

from litestar import Response
from litestar.response import Stream

from app.cases.files import FileStore
from app.cases.tools import CaseTools
from app.dashboards.exports.actions import Download, fetch_export, piece_of
from app.errors import RangeNotSatisfiable
from app.login.guards import Officer

_RANGE = re.compile(r"^bytes=([0-9]{0,15})-([0-9]{0,15})$")


async def fetched(officer: Officer, cases: CaseTools, export_id: UUID, headers: tuple[str, str]) -> Response[Any]:
    """The officer's export as its Range and If-Range `headers` ask for it. Raises NotFound, Conflict,
    RangeNotSatisfiable."""
    async with cases.database.begin() as connection:
        download = await fetch_export(connection, officer, export_id)
    return sent(cases.files, download, *headers)


def sent(files: FileStore, download: Download, asked: str, unless_changed: str) -> Response[Any]:
    """The bytes that `asked`, a Range header, names; all of them without one, for one we do not know, and where
    `unless_changed`, an If-Range header, names another file."""
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": download.etag,
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{download.name}"',
    }
    found = _RANGE.match(asked) if unless_changed in ("", download.etag) else None
    if found is None or not (found[1] or found[2]):
        return _stream(files, download, (0, download.size - 1), headers, 200)
    first, last = _bytes(found[1], found[2], download.size)
    if first > last:
        raise RangeNotSatisfiable(params={"size": download.size})
    headers["Content-Range"] = f"bytes {first}-{last}/{download.size}"
    return _stream(files, download, (first, last), headers, 206)


def _bytes(first: str, last: str, size: int) -> tuple[int, int]:
    """The first and last byte; `-500` are the last five hundred."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last) if last else size - 1, size - 1)


def _stream(
    files: FileStore, download: Download, span: tuple[int, int], headers: dict[str, str], status: int
) -> Stream:
    first, last = span
    told = {**headers, "Content-Length": str(last + 1 - first)}
    content = piece_of(files, download, first, last)
    return Stream(content, status_code=status, media_type=download.media_type, headers=told)

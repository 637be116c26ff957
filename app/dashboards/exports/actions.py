"""Asking for exports, and reading one's own: an officer sees what they asked for themselves, within their agency."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.cases.due import today
from app.cases.files import FileStore
from app.cases.tools import CaseTools
from app.dashboards.auditing.search import Wanted, note_search
from app.dashboards.exports.keeping import KEPT, PARTS, QUEUE, ExportJob, remove_export
from app.dashboards.exports.record import FILTERS, RECORD
from app.dashboards.exports.schemas import ExportView, ExportWanted, RecordWanted
from app.dashboards.figures.asked import Asked, scope_of
from app.database import Connection
from app.errors import Conflict, NotFound
from app.ids import uuid7
from app.jobs import enqueue_on
from app.login.guards import Officer
from app.texts import Language

MOST = 20
_YEAR = timedelta(days=365)
_EARLIEST, _LATEST = date(2000, 1, 1), date(9000, 1, 1)
# Whoever was an auditor, and is something else now, has the record's no more.
_OWN = "officer_id = $1 AND ($2 = '' OR agency = $2) AND (kind <> 'audit' OR $3 = 'auditor') AND expires_at > now()"
_LIST = f"SELECT * FROM exports WHERE {_OWN} ORDER BY id DESC LIMIT {MOST}"  # noqa: S608 - constants of ours
_ONE = f"SELECT * FROM exports WHERE {_OWN} AND id = $4"  # noqa: S608 - constants of ours
_END = f"UPDATE exports SET expires_at = now() WHERE {_OWN} AND id = $4 RETURNING id"  # noqa: S608 - constants of ours
_COUNT = f"SELECT count(*) FROM exports WHERE {_OWN}"  # noqa: S608 - constants of ours
_WISHED = ("agency", "kind", "format", "language", "service", "from_on", "until_on", "filters_enc")
_NEW = f"""
INSERT INTO exports (id, officer_id, expires_at, {", ".join(_WISHED)})
VALUES ($1, $2, now() + $3, {", ".join(f"${place}" for place in range(4, 4 + len(_WISHED)))}) RETURNING *
"""  # noqa: S608 - constants of ours
_LEFT_OPEN = {"service": ""}
_FIRST = "SELECT at FROM audit_rows ORDER BY at, id LIMIT 1"


class Download(msgspec.Struct, frozen=True):
    """A finished file and its parts."""

    name: str
    media_type: str
    etag: str
    size: int
    parts: Sequence[tuple[UUID, int]]


async def ask_for_export(
    connection: Connection, officer: Officer, wanted: ExportWanted, language: Language, tools: CaseTools
) -> ExportView:
    """Have it made. Raises NotFound for another agency's, Conflict where too many are kept already."""
    scope = scope_of(officer, Asked(agency=wanted.agency, service=wanted.service))
    last = max(wanted.until_on or today(tools.catalog.timezone), _EARLIEST)
    # Whichever of the two was named first.
    first, until = sorted(min(max(day, _EARLIEST), _LATEST) for day in (wanted.from_on or last - _YEAR, last))
    wish = {
        "agency": scope.agency,
        "kind": wanted.kind,
        "format": wanted.format,
        "language": language,
        "service": scope.service,
        "from_on": first,
        "until_on": until,
    }
    shown = await _keep(connection, officer, wish)
    await _note(connection, officer, "export.made", {"id": shown.id, **wish})
    return shown


async def ask_for_record(
    connection: Connection, auditor: Officer, asked: RecordWanted, language: Language, tools: CaseTools
) -> ExportView:
    """Have it made, and say so in the record. Raises Conflict where too many are kept already."""
    wanted = Wanted(**{name: getattr(asked, name) for name in Wanted.__struct_fields__})
    await note_search(connection, auditor, "audit.exported", wanted)
    now = today(tools.catalog.timezone)
    wish = {
        "agency": "",
        "kind": RECORD,
        "format": asked.format,
        "language": language,
        "from_on": min(wanted.since or await _first(connection, tools) or now, now),
        "until_on": min(wanted.until or now, now),
        "filters_enc": tools.vault.encrypt(msgspec.json.encode(wanted), FILTERS),
    }
    return await _keep(connection, auditor, wish)


async def _keep(connection: Connection, officer: Officer, wish: Mapping[str, Any]) -> ExportView:
    """An export's row and its job. Raises Conflict where too many are kept already."""
    if await connection.fetchval(_COUNT, *_who(officer)) >= MOST:
        raise Conflict("exports_too_many", params={"limit": MOST})
    given = [wish.get(name, _LEFT_OPEN.get(name)) for name in _WISHED]
    row = await connection.fetchrow(_NEW, uuid7(), officer.id, KEPT, *given)
    if row is None:
        raise LookupError("an INSERT that returns its row returned none")
    await enqueue_on(connection, QUEUE, ExportJob(row["id"]), dedupe=str(row["id"]))
    return _view(row)


async def list_exports(connection: Connection, officer: Officer) -> list[ExportView]:
    return [_view(row) for row in await connection.fetch(_LIST, *_who(officer))]


async def read_export(connection: Connection, officer: Officer, export_id: UUID) -> ExportView:
    """Raises NotFound, for another officer's too."""
    return _view(await _own(connection, officer, export_id))


async def fetch_export(connection: Connection, officer: Officer, export_id: UUID) -> Download:
    """Its file, and an audit row. Raises NotFound, or Conflict while it is being made."""
    row = await _own(connection, officer, export_id)
    if row["state"] != "done":
        raise Conflict("export_not_done", params={"state": row["state"]})
    await _note(connection, officer, "export.fetched", row)
    parts = [(part["file_id"], part["size"]) for part in await connection.fetch(PARTS, export_id)]
    name = f"satu-loket-{row['kind']}-{row['from_on']}-{row['until_on']}.{row['format']}"
    return Download(name, MEDIA_TYPES[row["format"]], f'"{export_id.hex}"', row["size"], parts)


async def delete_export(connection: Connection, officer: Officer, export_id: UUID, tools: CaseTools) -> None:
    """Raises NotFound."""
    await end_export(connection, officer, export_id)
    await remove_export(tools, export_id)


async def end_export(connection: Connection, officer: Officer, export_id: UUID) -> None:
    """Its time is over: nobody is shown it any more, and whoever clears away removes it. Raises NotFound."""
    if await connection.fetchval(_END, *_who(officer), export_id) is None:
        raise NotFound("export_not_found")


MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def piece_of(files: FileStore, download: Download, first: int, last: int) -> AsyncIterator[bytes]:
    """Bytes `first` to `last` of the file, a part at a time."""
    begins = 0
    for file_id, size in download.parts:
        if begins <= last and begins + size > first:
            content = await files.get(file_id)
            yield content[max(0, first - begins) : last + 1 - begins]
        begins += size


def _who(officer: Officer) -> tuple[UUID, str, str]:
    return officer.id, officer.agency, officer.role


async def _own(connection: Connection, officer: Officer, export_id: UUID) -> Mapping[str, Any]:
    row = await connection.fetchrow(_ONE, *_who(officer), export_id)
    if row is None:
        raise NotFound("export_not_found")
    found: Mapping[str, Any] = row
    return found


async def _first(connection: Connection, tools: CaseTools) -> date | None:
    at = await connection.fetchval(_FIRST)
    return at.astimezone(tools.catalog.timezone).date() if at else None


def _view(row: Mapping[str, Any]) -> ExportView:
    done = row["state"] == "done"
    return ExportView(
        id=row["id"],
        kind=row["kind"],
        format=row["format"],
        agency=row["agency"] or None,
        service=row["service"] or None,
        from_on=row["from_on"],
        until_on=row["until_on"],
        state=row["state"],
        rows_done=row["rows_done"],
        rows_total=row["rows_total"],
        size=row["size"] if done else 0,
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        file=f"/v1/officer/exports/{row['id']}/file" if done else None,
    )


async def _note(connection: Connection, officer: Officer, action: str, row: Mapping[str, Any]) -> None:
    entry = AuditEntry(
        actor_kind="officer",
        actor_id=str(officer.id),
        action=action,
        subject_id=None,
        object_kind="export",
        object_id=str(row["id"]),
        purpose="audit" if row["kind"] == RECORD else "figures",
        legal_basis="uu-27-2022" if row["kind"] == RECORD else "uu-25-2009",
        fields=(row["kind"], row["format"]),
    )
    await record_on(connection, entry)

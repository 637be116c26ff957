"""Searching the record: by time, who, whose, what; newest first, by keyset. Each search is itself a row of it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.cursor import decode_cursor, encode_cursor
from app.dashboards.auditing.schemas import Reading, Readings, RowPage, RowView
from app.database import Connection, Database, fetch_anybodys
from app.errors import BadRequest, NotFound
from app.login.guards import Officer
from app.privacy import Vault
from app.telemetry import mask_text

MOST_READINGS = 200
NEWEST_READ = 3_000
READINGS_DAYS = 90
# Before any row; the year 1 begins, in the east, before times do.
_FIRST = date(2000, 1, 1)
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_At = Annotated[datetime, msgspec.Meta(tz=True)]
_COLUMNS = (
    "id, at, actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields, request_id"
)
_POSITION = "(SELECT position FROM audit_links WHERE row_id = found.id) AS position"
_OBJECTS = """
SELECT cases.id::text AS name FROM cases WHERE number = $1
UNION ALL SELECT $1
UNION ALL SELECT deliveries.id::text FROM deliveries JOIN cases ON cases.id = case_id WHERE number = $1
"""
_ACTORS = "SELECT id::text AS id, name FROM officers WHERE id = ANY($1::uuid[])"
_NUMBERS = """
SELECT id::text AS id, number FROM cases WHERE id = ANY($1::uuid[])
UNION ALL SELECT deliveries.id::text, number FROM deliveries JOIN cases ON cases.id = case_id
WHERE deliveries.id = ANY($1::uuid[])
"""
_NAMED = "SELECT id::text FROM officers WHERE name = $1"
_CITIZEN = "SELECT id FROM citizens WHERE nik_index = $1"
_GROUP = "actor_kind, actor_id, subject_id, action"
_TIMES = "count(*)::int AS times, min(at) AS first_at, max(at) AS last_at"
_READINGS = f"""
SELECT {_GROUP}, {_TIMES} FROM audit_rows WHERE subject_id IS NOT NULL AND {{who}} AND at >= $2 AND at < $3
GROUP BY {_GROUP} ORDER BY last_at DESC, actor_id LIMIT {MOST_READINGS}
"""  # noqa: S608 - constants of ours
# A job has read everybody: whose data an actor touched last stands among its newest rows, how often with each of these.
_NEWEST = f"""
WITH newest AS (
    SELECT {_GROUP}, at FROM unnest($1::text[]) AS actor CROSS JOIN LATERAL (
        SELECT {_GROUP}, at FROM audit_rows WHERE actor_id = actor AND subject_id IS NOT NULL AND at >= $2 AND at < $3
        ORDER BY at DESC, id DESC LIMIT {NEWEST_READ}
    ) AS own
), latest AS (
    SELECT {_GROUP}, max(at) AS last_at FROM newest GROUP BY {_GROUP}
    ORDER BY last_at DESC, actor_id LIMIT {MOST_READINGS}
)
SELECT {_GROUP}, times, first_at, last_at FROM latest CROSS JOIN LATERAL (
    SELECT count(*)::int AS times, min(at) AS first_at FROM audit_rows AS one
    WHERE one.subject_id = latest.subject_id AND one.actor_id = latest.actor_id
        AND one.actor_kind = latest.actor_kind AND one.action = latest.action AND at >= $2 AND at < $3
) AS told ORDER BY last_at DESC, actor_id
"""  # noqa: S608 - constants of ours


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows. `actor`: an id, or an officer's name; `case`: its number; days are the city's, both included."""

    since: date | None = None
    until: date | None = None
    actor: str | None = None
    subject: UUID | None = None
    case: str | None = None
    action: str | None = None
    object: str | None = None

    @property
    def told(self) -> list[str]:
        """What was searched, for the record: of a person only the id, whatever was typed into the other fields."""
        given = msgspec.structs.asdict(self)
        return [f"{name}={mask_text(str(value))}" for name, value in given.items() if value is not None]


class Page(msgspec.Struct, frozen=True):
    """Which part of what was found."""

    limit: int
    cursor: str | None = None


async def search(connection: Connection, wanted: Wanted, page: Page, zone: ZoneInfo) -> RowPage:
    """One page, newest first."""
    rows = await _rows(connection, wanted, page, zone)
    shown = rows[: page.limit]
    names = await _names(connection, shown)
    items = [_view(row, names) for row in shown]
    more = len(rows) > page.limit
    return RowPage(items, encode_cursor((items[-1].at, items[-1].id)) if more else None)


async def case_numbers(connection: Connection, rows: Sequence[RowView]) -> Mapping[str, str]:
    """By which people call the cases, and the cases of deliveries, that these rows are about."""
    ids = {row.object_id for row in rows if row.object_kind in ("case", "delivery") and _is_uuid(row.object_id)}
    return {row["id"]: row["number"] for row in await connection.fetch(_NUMBERS, list(ids))} if ids else {}


async def find_subject(database: Database, vault: Vault, auditor: Officer, nik: str) -> UUID:
    """A citizen's id. That they were sought is on record, also where there is none. Raises NotFound."""
    async with database.begin() as connection:
        row = await fetch_anybodys(connection, _CITIZEN, vault.index("nik", nik))
        subject = UUID(str(row["id"])) if row else None
        await note_search(connection, auditor, "audit.subject_sought", Wanted(subject=subject))
    if subject is None:
        raise NotFound("subject_unknown")
    return subject


async def readings(connection: Connection, wanted: Wanted, zone: ZoneInfo) -> Readings:
    """Who did what with this citizen's data; or with whose data this actor did what."""
    span = _span(wanted, zone, READINGS_DAYS)
    if wanted.subject is not None:
        rows = await connection.fetch(_READINGS.format(who="subject_id = $1"), wanted.subject, *span)
    else:
        actors = await _actor_ids(connection, wanted.actor or "")
        rows = await connection.fetch(_NEWEST, actors, *span)
        if len(rows) < MOST_READINGS:
            # Not so many people: then not so many rows either, as a rule.
            rows = await connection.fetch(_READINGS.format(who="actor_id = ANY($1::text[])"), actors, *span)
    names = await _names(connection, rows)
    return Readings([Reading(**row, actor=names.get(row["actor_id"])) for row in rows])


async def note_search(connection: Connection, auditor: Officer, action: str, wanted: Wanted) -> None:
    """The search itself, in the record, in the caller's transaction."""
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=str(auditor.id),
            action=action,
            subject_id=wanted.subject,
            object_kind="audit",
            object_id=" ".join(wanted.told),
            purpose="audit",
            legal_basis="uu-27-2022",
        ),
    )


async def count(connection: Connection, wanted: Wanted, cursor: str, zone: ZoneInfo) -> int:
    """How many rows a search finds from a place on."""
    found, actors = await _conditions(connection, wanted, cursor, zone)
    return int(await connection.fetchval(*found.counting(actors)))


async def place_of(connection: Connection, row_id: int) -> str:
    """The cursor behind a row."""
    return encode_cursor((await connection.fetchval("SELECT at FROM audit_rows WHERE id = $1", row_id), row_id))


def place_before(moment: datetime) -> str:
    """The cursor before whatever was written since."""
    return encode_cursor((moment, 0))


async def _rows(connection: Connection, wanted: Wanted, page: Page, zone: ZoneInfo) -> Sequence[Mapping[str, Any]]:
    found, actors = await _conditions(connection, wanted, page.cursor, zone)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(*found.statement(actors, page.limit + 1))
    return rows


async def _conditions(
    connection: Connection, wanted: Wanted, cursor: str | None, zone: ZoneInfo
) -> tuple["_Conditions", Sequence[str]]:
    """And the actors that are asked for, each apart."""
    found = _Conditions()
    if wanted.since or wanted.until:
        found.add("at >= {} AND at < {}", *_span(wanted, zone))
    if wanted.subject:
        found.add("subject_id = {}", wanted.subject)
    if wanted.case:
        objects = [row["name"] for row in await connection.fetch(_OBJECTS, wanted.case)]
        found.add("object_id = ANY({}::text[])", objects)
    if wanted.action:
        found.add("action = {}", wanted.action)
    if wanted.object:
        found.add("object_id = {}", wanted.object)
    if cursor is not None:
        found.add("(at, id) < ({}, {})", *_decoded(cursor))
    return found, await _actor_ids(connection, wanted.actor) if wanted.actor else []


class _Conditions:
    """Conditions of one search, and what is given for their places."""

    def __init__(self) -> None:
        self._where: list[str] = []
        self._given: list[object] = []

    def add(self, condition: str, *values: object) -> None:
        self._where.append(condition.format(*map(self._place, values)))

    def statement(self, actors: Sequence[str], limit: int) -> tuple[Any, ...]:
        """The newest that meet all of them. Each actor is asked for apart: only so an index gives their rows in order,
        however many there are."""
        newest = f"ORDER BY at DESC, id DESC LIMIT {self._place(limit)}"
        parts = [f"(SELECT {_COLUMNS} FROM audit_rows WHERE {one} {newest})" for one in self._each(actors)]  # noqa: S608 - ours
        found = " UNION ALL ".join(parts)
        return f"SELECT {_COLUMNS}, {_POSITION} FROM ({found}) AS found {newest}", *self._given  # noqa: S608 - ours

    def counting(self, actors: Sequence[str]) -> tuple[Any, ...]:
        parts = [f"SELECT count(*) AS rows FROM audit_rows WHERE {one}" for one in self._each(actors)]  # noqa: S608 - ours
        return f"SELECT sum(rows) FROM ({' UNION ALL '.join(parts)}) AS found", *self._given  # noqa: S608 - ours

    def _each(self, actors: Sequence[str]) -> Sequence[str]:
        each = [[*self._where, f"actor_id = {self._place(actor)}"] for actor in actors] or [self._where]
        return [" AND ".join(one) or "true" for one in each]

    def _place(self, value: object) -> str:
        self._given.append(value)
        return f"${len(self._given)}"


def _decoded(cursor: str) -> tuple[datetime, int]:
    """Raises BadRequest, for times that none of our rows has as well."""
    at, row_id = decode_cursor(cursor, tuple[_At, Id])
    if not _FIRST.year <= at.year < date.max.year:
        raise BadRequest("cursor_invalid")
    return at, row_id


def _span(wanted: Wanted, zone: ZoneInfo, days: int | None = None) -> tuple[datetime, datetime]:
    """From the first moment of a day to the last of another; where no first one is given, so many `days` before."""
    until = min(max(wanted.until or datetime.now(zone).date(), _FIRST), date.max - timedelta(days=2))
    earliest = _FIRST if days is None else until - timedelta(days=days)
    since = max(wanted.since or earliest, _FIRST)
    first, after = (datetime.combine(day, time(), zone) for day in (since, until + timedelta(days=1)))
    return first, after


async def _actor_ids(connection: Connection, actor: str) -> list[str]:
    """The id itself, and an officer's who has this name."""
    named = await connection.fetchval(_NAMED, actor)
    return [actor, named] if named else [actor]


async def _names(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    ids = {row["actor_id"] for row in rows if row["actor_kind"] == "officer"}
    known = [each for each in ids if _is_uuid(each)]
    return {row["id"]: row["name"] for row in await connection.fetch(_ACTORS, known)} if known else {}


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _view(row: Mapping[str, Any], names: Mapping[str, str]) -> RowView:
    return RowView(**row, actor=names.get(row["actor_id"]))

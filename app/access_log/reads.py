"""Rows of the audit about one citizen, with what names their actor and their case. Reading them leaves no row: whoever
reads is the one they are about."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from app.access_log.schemas import ActorKind
from app.asking import SERVICE, asking
from app.audit.chain import ROW_COLUMNS
from app.database import Database

Row = Mapping[str, Any]

# An account that became one with another keeps its rows: they are its person's, who now has the other.
_MINE = """
WITH RECURSIVE mine AS (
    SELECT $1::uuid AS id
    UNION SELECT citizens.id FROM citizens JOIN mine ON merged_into = mine.id
)
SELECT array_agg(id) AS ids FROM mine
"""
_OWN_DOING = "actor_kind = 'citizen' AND (actor_id = 'unproven' OR actor_id = ANY($1::uuid[]::text[]))"
# What one asked for oneself, and an agency was told by it.
_TOLD_AN_AGENCY = "object_kind IN ('agency', 'membership')"
_OF_KIND: Mapping[ActorKind | None, str] = {
    None: f"(NOT ({_OWN_DOING}) OR {_TOLD_AN_AGENCY})",
    "officer": "actor_kind = 'officer'",
    "job": "actor_kind = 'job'",
    "client": "actor_kind = 'client'",
    "citizen": f"actor_kind = 'citizen' AND NOT ({_OWN_DOING})",
    "self": _OWN_DOING,
}
# After ROW_COLUMNS, of which the digests are made: so the first values of a row are the exact ones.
_PAGE = f"""
SELECT {ROW_COLUMNS}, at, links.position, links.digest FROM audit_rows
LEFT JOIN audit_links AS links ON links.row_id = audit_rows.id
WHERE audit_rows.subject_id = ANY($1::uuid[]) AND audit_rows.id < $2
"""  # noqa: S608 - constants of ours
_NEWEST_FIRST = "ORDER BY audit_rows.id DESC LIMIT $3"
NEWEST = 2**62
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def _id_in(column: str, kind: str) -> str:
    """The id that a text column holds for rows of a kind; a name that a terminal wrote there is none."""
    is_one = (
        rf"page.{column}_kind = '{kind}' AND page.{column}_id ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'"
    )
    return f"CASE WHEN {is_one} THEN page.{column}_id::uuid END"


# The names stand in rows of the city and of others: looked up for the product, for these rows' ids alone.
_NAMED = f"""
SELECT page.*, before.digest AS before, officers.agency AS officer_agency, officers.role AS officer_role,
    clients.name AS client_name, clients.agency AS client_agency, clients.purpose_id, clients.purpose_en,
    cases.id AS case_id, cases.number, cases.service, cases.agency AS case_agency, delegate.name_enc
FROM page
LEFT JOIN audit_links AS before ON before.position = page.position - 1
LEFT JOIN officers ON officers.id = {_id_in("actor", "officer")}
LEFT JOIN clients ON page.actor_kind = 'client' AND clients.id = page.actor_id
LEFT JOIN deliveries ON deliveries.id = {_id_in("object", "delivery")}
LEFT JOIN cases ON cases.id = coalesce(deliveries.case_id, {_id_in("object", "case")})
    AND cases.citizen_id = ANY($1::uuid[])
LEFT JOIN LATERAL (
    SELECT name_enc FROM delegations JOIN citizens ON citizens.id = delegate_id
    WHERE delegate_id = {_id_in("actor", "citizen")} AND delegations.subject_id = ANY($1::uuid[])
        AND granted_at IS NOT NULL LIMIT 1
) AS delegate ON true
ORDER BY page.id DESC
"""  # noqa: S608 - constants of ours


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows: of days of the city's calendar, of one kind of actor (None: every kind but the citizen's own doing),
    below the id `before`."""

    limit: int
    before: int = NEWEST
    since: date | None = None
    until: date | None = None
    kind: ActorKind | None = None


class Rest(msgspec.Struct, frozen=True):
    """What of an export is still to come: rows below the id `before`, chained up to the position `reached`."""

    before: int
    reached: int
    limit: int


async def ids_of(database: Database, citizen_id: UUID) -> Sequence[UUID]:
    """The citizen's account, and those that became one with it."""
    with asking(SERVICE):
        found: Sequence[UUID] = (await database.fetch(_MINE, citizen_id))[0]["ids"]
    return found


async def rows_about(database: Database, mine: Sequence[UUID], asked: Asked, zone: str) -> Sequence[Row]:
    """Newest first; `zone` is the city's."""
    where, given = [_OF_KIND[asked.kind]], [list(mine), asked.before, asked.limit]
    for day, comparison in ((asked.since, "at >= (${day}::date::timestamp"), (asked.until, "at < ((${day}::date + 1)")):
        if day is not None:
            where.append(f"{comparison.format(day=len(given) + 1)}::timestamp AT TIME ZONE ${len(given) + 2}::text)")
            given += [day, zone]
    return await _named(database, " AND ".join(where), given)


async def chained_rows(database: Database, mine: Sequence[UUID], rest: Rest) -> Sequence[Row]:
    """Of all the rows, those that stand in the chain."""
    return await _named(database, "links.position <= $4", [list(mine), rest.before, rest.limit, rest.reached])


async def pending_rows(database: Database, mine: Sequence[UUID], rest: Rest) -> Sequence[Row]:
    """Those that came after."""
    later = "(links.position IS NULL OR links.position > $4)"
    return await _named(database, later, [list(mine), rest.before, rest.limit, rest.reached])


async def _named(database: Database, condition: str, given: Sequence[Any]) -> Sequence[Row]:
    statement = f"WITH page AS ({_PAGE} AND ({condition}) {_NEWEST_FIRST}) {_NAMED}"
    with asking(SERVICE):
        return await database.fetch(statement, *given)

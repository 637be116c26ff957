"""Filters that an officer keeps under a name: their own, and nobody else's."""

from uuid import UUID

import msgspec

from app.dashboards.queue.schemas import NewView, SavedView, SavedViews
from app.dashboards.queue.wanted import Filters
from app.database import Connection
from app.errors import Conflict, NotFound
from app.ids import uuid7
from app.login.guards import Officer

MOST_VIEWS = 30
_MINE = f"SELECT id, name, filters FROM officer_views WHERE officer_id = $1 ORDER BY name LIMIT {MOST_VIEWS}"  # noqa: S608 - constants of ours
_COUNT = "SELECT count(*) FROM officer_views WHERE officer_id = $1 AND name <> $2"
_KEEP = """
INSERT INTO officer_views (id, officer_id, name, filters) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (officer_id, name) DO UPDATE SET filters = excluded.filters RETURNING id
"""
_DROP = "DELETE FROM officer_views WHERE id = $1 AND officer_id = $2 RETURNING 1"


async def saved_views(connection: Connection, officer: Officer) -> SavedViews:
    rows = await connection.fetch(_MINE, officer.id)
    return SavedViews([SavedView(row["id"], row["name"], msgspec.convert(row["filters"], Filters)) for row in rows])


async def keep_view(connection: Connection, officer: Officer, new: NewView) -> SavedView:
    """Raises Conflict where there are too many."""
    if await connection.fetchval(_COUNT, officer.id, new.name) >= MOST_VIEWS:
        raise Conflict("views_too_many", params={"limit": MOST_VIEWS})
    filters = msgspec.json.encode(new.filters).decode()
    kept: UUID = await connection.fetchval(_KEEP, uuid7(), officer.id, new.name, filters)
    return SavedView(kept, new.name, new.filters)


async def drop_view(connection: Connection, officer: Officer, view_id: UUID) -> None:
    """Raises NotFound, for another officer's too."""
    if await connection.fetchval(_DROP, view_id, officer.id) is None:
        raise NotFound("view_not_found")

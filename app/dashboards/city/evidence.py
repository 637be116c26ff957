"""What really happened to each service in the last 90 days, counted by a worker now and then: no manifest is asked."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.database import Connection, Database, utc_now

WINDOW_DAYS = 90
EVERY_S = 600.0
_LOCK = "SELECT pg_try_advisory_xact_lock(7216540121)"
# Ids of cases grow with time: the window is a range of them. What an agency moved stands beyond `submitted`.
_FACTS = """
WITH checked AS (
    SELECT DISTINCT subject_id FROM audit_rows
    WHERE action = 'identity.compare' AND at > $2 AND subject_id IS NOT NULL
), handled AS (
    SELECT service, citizen_id, id, form_version, submitted_at, agency_reference, delivery_state, rating,
        status IN ('in_review', 'needs_citizen', 'approved', 'rejected', 'completed') AS moved,
        status IN ('approved', 'rejected', 'completed') AS ended
    FROM cases WHERE id >= $1 AND created_at > $2
)
SELECT service, count(*)::int AS opened, count(submitted_at)::int AS handed_in,
    (count(*) FILTER (WHERE agency_reference IS NOT NULL OR delivery_state = 'delivered'))::int AS delivered,
    (count(*) FILTER (WHERE moved))::int AS moved, (count(*) FILTER (WHERE ended))::int AS ended,
    (count(*) FILTER (WHERE submitted_at IS NOT NULL AND standing = 'matched'))::int AS matched,
    (count(*) FILTER (WHERE submitted_at IS NOT NULL AND subject_id IS NOT NULL))::int AS checked,
    (count(DISTINCT form_version) FILTER (WHERE submitted_at IS NOT NULL))::int AS versions,
    count(rating)::int AS rated, count(surveys.case_id)::int AS surveyed
FROM handled LEFT JOIN identity_checks USING (citizen_id) LEFT JOIN checked ON subject_id = citizen_id
LEFT JOIN surveys ON surveys.case_id = handled.id
GROUP BY service
"""
_PUBLISHED = "SELECT slug FROM catalog_entries"
_WRITE = """
INSERT INTO service_evidence (service, measured_at, facts)
SELECT service, $3, facts FROM unnest($1::text[], $2::jsonb[]) AS told (service, facts)
ON CONFLICT (service) DO UPDATE SET measured_at = excluded.measured_at, facts = excluded.facts
"""
_FORGET = "DELETE FROM service_evidence WHERE measured_at < $1"
_READ = "SELECT service, measured_at, facts FROM service_evidence"


class Facts(msgspec.Struct, frozen=True):
    """Of one service, in 90 days. `matched`: cases whose citizen the population register knows; `checked`: cases about
    whose citizen that register, another agency's, was asked meanwhile, as the audit has it. `versions` of its form."""

    opened: int = 0
    handed_in: int = 0
    delivered: int = 0
    moved: int = 0
    ended: int = 0
    matched: int = 0
    checked: int = 0
    versions: int = 0
    rated: int = 0
    surveyed: int = 0
    published: bool = False


class Measured(msgspec.Struct, frozen=True):
    """The facts, and when they were counted; None before the first time."""

    facts: Facts
    measured_at: datetime | None


async def measure_services(database: Database) -> None:
    """Count, unless another worker does it just now."""
    async with database.begin() as connection:
        if await connection.fetchval(_LOCK):
            await _measure(connection)


async def read_evidence(connection: Connection) -> Mapping[str, Measured]:
    rows = await connection.fetch(_READ)
    return {row["service"]: Measured(msgspec.convert(row["facts"], Facts), row["measured_at"]) for row in rows}


async def _measure(connection: Connection) -> None:
    now = utc_now()
    since = now - timedelta(days=WINDOW_DAYS)
    first = UUID(int=int(since.timestamp() * 1000) << 80)
    counted = {row["service"]: dict(row) for row in await connection.fetch(_FACTS, first, since)}
    published = {row["slug"] for row in await connection.fetch(_PUBLISHED)}
    services = sorted({*counted, *published})
    told = [
        json.dumps({**_counts(counted.get(service, {})), "published": service in published}) for service in services
    ]
    await connection.execute(_WRITE, services, told, now)
    await connection.execute(_FORGET, now)


def _counts(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "service"}

"""What really happened to each service in the last 90 days, counted by a worker now and then: no manifest is asked."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.database import Connection, Database, utc_now
from app.manifest import IntegrationManifest

WINDOW_DAYS = 90
EVERY_S = 600.0
_LOCK = "SELECT pg_try_advisory_xact_lock(7216540121)"
# Ids of cases grow with time: the window is a range of them. What an agency moved stands beyond `submitted`. The record
# says whom the population register was asked about, and whose data agencies' applications were given. $3 and $4: which
# system is whose.
_FACTS = """
WITH checked AS (
    SELECT DISTINCT subject_id AS citizen_id FROM audit_rows
    WHERE action = 'identity.compare' AND at > $2 AND subject_id IS NOT NULL
), told AS (
    SELECT subject_id AS citizen_id, array_agg(DISTINCT clients.agency) AS agencies
    FROM audit_rows JOIN clients ON clients.id = actor_id
    WHERE action = ANY('{application.login,citizen.read}') AND actor_kind = 'client' AND at > $2
        AND subject_id IS NOT NULL AND fields <> '[]'
    GROUP BY subject_id
), systems AS (
    SELECT * FROM unnest($3::text[], $4::text[]) AS known (backend, run_by)
), handled AS (
    SELECT service, agency, backend, citizen_id, id, form_version, submitted_at, rating,
        agency_reference IS NOT NULL OR delivery_state = 'delivered' AS delivered,
        status IN ('in_review', 'needs_citizen', 'approved', 'rejected', 'completed') AS moved,
        status IN ('approved', 'rejected', 'completed') AS ended
    FROM cases WHERE id >= $1 AND created_at > $2
)
SELECT service, count(*)::int AS opened, count(submitted_at)::int AS handed_in,
    (count(*) FILTER (WHERE delivered))::int AS delivered,
    (count(*) FILTER (WHERE delivered AND run_by <> agency))::int AS across,
    (count(*) FILTER (WHERE moved))::int AS moved, (count(*) FILTER (WHERE ended))::int AS ended,
    (count(*) FILTER (WHERE submitted_at IS NOT NULL AND standing = 'matched' AND checked.citizen_id IS NOT NULL))::int
        AS checked,
    (count(*) FILTER (WHERE submitted_at IS NOT NULL AND NOT told.agencies <@ ARRAY[agency]))::int AS shared,
    (count(DISTINCT form_version) FILTER (WHERE submitted_at IS NOT NULL))::int AS versions,
    count(rating)::int AS rated, count(surveys.case_id)::int AS surveyed
FROM handled LEFT JOIN identity_checks USING (citizen_id) LEFT JOIN checked USING (citizen_id)
LEFT JOIN told USING (citizen_id) LEFT JOIN systems USING (backend) LEFT JOIN surveys ON surveys.case_id = handled.id
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
    """Of one service, in 90 days. Cases shared with other agencies: `checked`, about whose citizen the population
    register was asked meanwhile, and knew them; `shared`, whose citizen let an application of another agency have
    their data; `across`, which a system of another agency has taken. `versions` of its form."""

    opened: int = 0
    handed_in: int = 0
    delivered: int = 0
    moved: int = 0
    ended: int = 0
    checked: int = 0
    shared: int = 0
    across: int = 0
    versions: int = 0
    rated: int = 0
    surveyed: int = 0
    published: bool = False


class Measured(msgspec.Struct, frozen=True):
    """The facts, and when they were counted; None before the first time."""

    facts: Facts
    measured_at: datetime | None


async def measure_services(database: Database, systems: Mapping[str, IntegrationManifest]) -> None:
    """Count, unless another worker does it just now."""
    async with database.begin() as connection:
        if await connection.fetchval(_LOCK):
            await _measure(connection, systems)


async def read_evidence(connection: Connection) -> Mapping[str, Measured]:
    rows = await connection.fetch(_READ)
    return {row["service"]: Measured(msgspec.convert(row["facts"], Facts), row["measured_at"]) for row in rows}


async def _measure(connection: Connection, systems: Mapping[str, IntegrationManifest]) -> None:
    now = utc_now()
    since = now - timedelta(days=WINDOW_DAYS)
    first = UUID(int=int(since.timestamp() * 1000) << 80)
    run_by = [manifest.agency for manifest in systems.values()]
    counted = {row["service"]: dict(row) for row in await connection.fetch(_FACTS, first, since, list(systems), run_by)}
    published = {row["slug"] for row in await connection.fetch(_PUBLISHED)}
    services = sorted({*counted, *published})
    told = [
        json.dumps({**_counts(counted.get(service, {})), "published": service in published}) for service in services
    ]
    await connection.execute(_WRITE, services, told, now)
    await connection.execute(_FORGET, now)


def _counts(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "service"}

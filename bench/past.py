"""What a city of many cases has beside them: a record of who was told of each, chained as the product chains it, and
agencies' systems that were called all the time. Written once, in bulk."""

from uuid import UUID

import asyncpg

from app.assembly import build
from app.audit.chain import link_new
from app.database import driver_url
from app.settings import Settings

ROWS_AT_ONCE = 5_000
_RECORD = """
WITH told AS (SELECT id, citizen_id, created_at, backend FROM cases WHERE id > $1 ORDER BY id LIMIT $2), written AS (
    INSERT INTO audit_rows (at, actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis,
        fields)
    SELECT created_at, 'job', backend, 'case.sent', citizen_id, 'case', id::text, 'service', 'uu-25-2009',
        '["name", "nik", "form"]'::jsonb FROM told ORDER BY id
)
SELECT id FROM told ORDER BY id DESC LIMIT 1
"""
_SLOTS = """
INSERT INTO backend_slots (backend, slot, answered, unanswered)
SELECT $1, slot, 50, (random() * 3)::int
FROM generate_series(date_trunc('hour', now()) - interval '99 days', now(), '5 minutes') AS slot ON CONFLICT DO NOTHING
"""
# Five ways a call of an operation went in each five minutes of what is kept.
_CALLS = """
INSERT INTO backend_calls (backend, operation, slot, outcome, bucket, calls, last_at)
SELECT $1, operation, slot, CASE WHEN bucket < 24 THEN 'ok' ELSE 'unavailable' END, bucket, 10, slot
FROM unnest($2::text[]) AS operation, generate_series(20, 24) AS bucket,
    generate_series(date_trunc('hour', now()) - interval '7 days', now(), '5 minutes') AS slot ON CONFLICT DO NOTHING
"""


async def write_surroundings(settings: Settings) -> None:
    """For every case that stands in the database, and every system that is called."""
    connection = await asyncpg.connect(driver_url(settings.migration_database_url))
    product = build(settings, "bench")
    try:
        after: UUID | None = UUID(int=0)
        while after is not None:
            after = await connection.fetchval(_RECORD, after, ROWS_AT_ONCE)
            await link_new(product.database)
        for backend, manifest in product.cases.systems.items():
            await connection.execute(_SLOTS, backend)
            await connection.execute(_CALLS, backend, sorted(manifest.operations))
        for table in ("audit_rows", "audit_links", "backend_slots", "backend_calls"):
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await product.close()
        await connection.close()

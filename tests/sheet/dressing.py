"""What a history alone does not show on the pages: systems that were called, one in trouble and one paused, deliveries
that wait for an officer, maturity, very long names and large numbers."""

from uuid import UUID

from app.assembly import Product
from app.catalog.sync import sync
from app.dashboards.city.evidence import measure_services
from tests.harness.tables import Tables

# By the day's hours, so that a chart has a shape; an operation in trouble fails in the last hours.
_CALLS = """
INSERT INTO backend_calls (backend, operation, slot, outcome, bucket, calls, last_at)
SELECT $1, $2, slot, outcome, bucket, greatest(1, (calls * busy)::int) * $4::int, slot + interval '4 minutes'
FROM (
    SELECT to_timestamp(floor(extract(epoch FROM now()) / 300) * 300 - n * 300) AS slot, n,
        1 + sin(n / 45.0) AS busy FROM generate_series(0, 287) AS n
) AS slots CROSS JOIN (
    VALUES ('ok', 22, 9), ('ok', 24, 5), ('ok', 28, 2), ('failed', 26, 1), ('unavailable', 36, 6)
) AS came (outcome, bucket, calls)
WHERE outcome = 'ok' OR outcome = 'failed' AND n % 17 = 3 OR $3 AND outcome = 'unavailable' AND n < 14
"""
_SLOTS = """
INSERT INTO backend_slots (backend, slot, answered, unanswered)
SELECT $1, to_timestamp(floor(extract(epoch FROM now()) / 300) * 300 - n * 300), 20,
    CASE WHEN n % 971 < 3 OR $2 AND n < 14 THEN 40 ELSE 0 END FROM generate_series(0, 8600, 2) AS n
"""
_HEALTH = """
INSERT INTO backend_health (backend, ok_at, failed_at, measured_at, consecutive_failures, last_seconds, recent_calls,
    recent_failures, recent_seconds)
VALUES ($1, now() - CASE WHEN $2 THEN interval '66 minutes' ELSE interval '40 s' END, now() - interval '3 minutes',
    now(), CASE WHEN $2 THEN 7 ELSE 0 END, 0.2, 30, CASE WHEN $2 THEN 7 ELSE 0 END, 6)
ON CONFLICT (backend) DO NOTHING
"""
_PAUSED = """
INSERT INTO maintenance_windows (id, backend, service, starts_at, ends_at, reason, officer) VALUES
    ($1, $2, '', now() - interval '50 minutes', NULL, 'Jaringan antara kota dan instansi sedang diganti.', 'demo'),
    ($3, $4, '', now() + interval '2 days', now() + interval '2 days 4 hours', 'Pemutakhiran server instansi.', 'demo')
"""
_WAITING = """
WITH newest AS (
    SELECT deliveries.id, case_id, row_number() OVER (ORDER BY deliveries.id DESC) AS place
    FROM deliveries JOIN cases ON cases.id = case_id WHERE operation = 'submit' AND cases.status = 'in_review'
    ORDER BY deliveries.id DESC LIMIT 12
), stopped AS (
    UPDATE deliveries SET state = 'needs_operator', reference = NULL, fence = 5, finished_at = now() - interval '5 h',
        reason = (ARRAY['gave_up', 'cannot_tell', 'failed', 'number_collision'])[place % 4 + 1]
    FROM newest WHERE deliveries.id = newest.id RETURNING deliveries.case_id
)
UPDATE cases SET delivery_state = 'needs_operator', agency_reference = NULL, next_refresh_at = NULL
WHERE id IN (SELECT case_id FROM stopped)
"""
_TRIES = """
INSERT INTO delivery_attempts (delivery_id, number, operation, backend, unknown, started_at, finished_at, outcome,
    calls, http_status)
SELECT id, n, operation, backend, n = 2, now() - interval '9 h' + n * interval '40 minutes',
    now() - interval '9 h' + n * interval '40 minutes' + interval '10 s',
    CASE n WHEN 2 THEN 'unknown' ELSE 'unavailable' END, 1, NULL
FROM deliveries CROSS JOIN generate_series(2, 4) AS n WHERE state = 'needs_operator'
ON CONFLICT DO NOTHING
"""
_LONG_NAME = """
UPDATE officers SET name = 'nama.petugas.yang.sangat.panjang.sekali.di.dpmptsp' WHERE name = 'operator.dpmptsp'
"""
# Of one system, so that large numbers are seen as well.
_MANY = 4_321


async def dress(product: Product, tables: Tables) -> None:
    """Once, after the history."""
    systems = sorted(product.cases.systems)
    for number, name in enumerate(systems):
        times = _MANY if number == 1 else 1
        for operation in product.cases.systems[name].operations:
            await tables.run(_CALLS, name, operation, number == 0, times)
        for statement in (_SLOTS, _HEALTH):
            await tables.run(statement, name, number == 0)
    first, second = UUID(int=1), UUID(int=2)
    await tables.run(_PAUSED, first, systems[-1], second, systems[0])
    for statement in (_WAITING, _TRIES, _LONG_NAME):
        await tables.run(statement)
    async with product.database.transaction() as session:
        await sync(session, product.catalog)
    await measure_services(product.database, product.cases.systems)

"""What a history alone does not show on the pages: systems that were called, one in trouble and one paused, deliveries
that wait for an officer, maturity, very long names and large numbers."""

from uuid import UUID

from app.assembly import Product
from app.callbacks.strays import SIGN_CONTEXT
from app.catalog.sync import sync
from app.dashboards.city.evidence import measure_services
from app.dashboards.queue.escalation import escalate
from tests.harness.officers import OfficerAtWork
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
_STRAYS = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc, received_at)
SELECT gen_random_uuid(), 'sicantik', 'dpmptsp', uuid_send(gen_random_uuid()),
    CASE n WHEN 3 THEN 'message' ELSE 'case' END,
    (ARRAY['570/1182/419.104/2026', '0000931201112026', 'WA-20261120-88123'])[n], $1, now() - n * interval '3 hours'
FROM generate_series(1, 3) AS n
"""
_CHECKS = """
INSERT INTO audit_checks (id, asked_by, asked_at, seen_at, finished_at, total, done, outcome, fault,
    fault_position, anchors)
SELECT gen_random_uuid(), (SELECT id FROM officers WHERE role = 'auditor' ORDER BY created_at LIMIT 1),
    now() - n * interval '1 day', now(),
    CASE n WHEN 1 THEN NULL ELSE now() - n * interval '1 day' + interval '3 min' END,
    48211, CASE n WHEN 1 THEN 20480 WHEN 3 THEN 31002 ELSE 48211 END,
    (ARRAY[NULL, 'whole', 'broken', 'failed'])[n], (ARRAY[NULL, NULL, 'changed', NULL])[n],
    CASE n WHEN 3 THEN 31002 END, CASE n WHEN 2 THEN 12 END
FROM generate_series(1, 4) AS n
"""
_PASSKEYS = """
INSERT INTO officer_passkeys (id, officer_id, credential_id, public_key, sign_count, name, backed_up, last_used_at,
    created_at)
SELECT gen_random_uuid(), $1, uuid_send(gen_random_uuid()), 'key', 0, name, false, used, now() - interval '40 days'
FROM (VALUES ('Laptop kantor', now() - interval '2 hours'), ('', NULL),
    ('Kunci keamanan cadangan di laci meja loket nomor tiga', NULL)) AS kept (name, used)
"""
_VIEWS = """
INSERT INTO officer_views (id, officer_id, name, filters) VALUES
    (gen_random_uuid(), $1, 'Yang terlambat', '{"clock": "late"}'),
    (gen_random_uuid(), $1, 'Izin reklame yang menunggu tindakan petugas sejak pekan lalu', '{"delivery": "queued"}')
"""
_EXPORTS = """
INSERT INTO exports (id, officer_id, agency, kind, format, language, from_on, until_on, state, rows_total, rows_done,
    parts, size, created_at, finished_at, expires_at)
SELECT gen_random_uuid(), $1, $2, CASE WHEN $3 THEN 'audit' ELSE kind END, format, 'id', '2025-01-01', '2026-11-21',
    state, total, done, 1, size, now() - interval '1 hour', now(), now() + interval '3 days'
FROM (VALUES ('cases', 'xlsx', 'running', 412345, 98000, 0), ('figures', 'csv', 'done', 1248, 1248, 98123),
    ('survey', 'csv', 'queued', NULL, 0, 0), ('cases', 'csv', 'failed', 3000, 1200, 0))
    AS made (kind, format, state, total, done, size)
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
    for statement in (_WAITING, _TRIES, _LONG_NAME, _CHECKS):
        await tables.run(statement)
    await tables.run(_STRAYS, product.vault.encrypt(b"Permohonan disetujui", SIGN_CONTEXT))
    await escalate(product.cases)
    async with product.database.transaction() as session:
        await sync(session, product.catalog)
    await measure_services(product.database, product.cases.systems)


async def furnish(tables: Tables, officer: OfficerAtWork) -> None:
    """What an officer keeps: passkeys, filters, exports in every state."""
    for statement in (_PASSKEYS, _VIEWS):
        await tables.run(statement, officer.id)
    await tables.run(_EXPORTS, officer.id, officer.agency, officer.role == "auditor")

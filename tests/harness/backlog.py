"""Many deliveries that wait, made from one case that was handed in: the same form, each a matter of its own."""

from typing import Any
from uuid import UUID

from tests.harness.tables import Tables

# Each in a lane of its own, as if of another person; a millisecond apart, so that their order is told by their ids too.
_CASES = """
INSERT INTO cases (id, number, citizen_id, module, service, agency, backend, status, form_version, form_enc,
    delivery_state, due_on, submitted_at, created_at)
SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || right(id::text, 12))::uuid,
    number || '-' || lpad(n::text, 6, '0'), citizen_id, module, service, agency, backend, 'submitted', form_version,
    form_enc, 'queued', due_on, submitted_at, now() + n * interval '1 millisecond'
FROM cases, generate_series(1, $2) AS n WHERE id = $1
"""
_EVENTS = """
INSERT INTO case_events (case_id, seq, kind, status) SELECT id, 1, 'submitted', 'submitted' FROM cases
WHERE id <> $1 AND right(id::text, 12) = right($1::text, 12)
"""
_DELIVERIES = """
INSERT INTO deliveries (id, case_id, backend, operation, lane, created_at)
SELECT id, id, backend, 'submit', uuid_send(id), created_at FROM cases
WHERE id <> $1 AND right(id::text, 12) = right($1::text, 12)
"""
_JOBS = """
INSERT INTO pgqueuer (priority, entrypoint, payload, status, dedupe_key)
SELECT 0, 'deliver.' || backend, convert_to('{"delivery_id":"' || id || '"}', 'UTF8'), 'queued', id::text
FROM deliveries WHERE case_id <> $1 AND right(case_id::text, 12) = right($1::text, 12) ORDER BY id
"""


async def many_like(tables: Tables, case: dict[str, Any], count: int) -> None:
    """`count` more cases like `case`, all queued, oldest first."""
    case_id = UUID(case["id"])
    await tables.run(_CASES, case_id, count)
    for statement in (_EVENTS, _DELIVERIES, _JOBS):
        await tables.run(statement, case_id)

"""What waits for a backend that has not answered once in 72 hours comes before an officer, also what was never tried:
one delivery knocks there now and then, and the others stand behind it."""

import logging
from typing import Any
from uuid import UUID

from app.cases.settle import hold
from app.cases.timeline import Line
from app.cases.tools import CaseTools
from app.cases.writes import change_case
from app.database import Connection

log = logging.getLogger("loket.delivery")

GIVE_UP_AFTER_H = 72
BATCH = 200
# Not while it is paused or under maintenance: then nobody knocks, and cases wait because somebody wants them to.
_OVERDUE = f"""
SELECT deliveries.id, case_id FROM deliveries JOIN backend_health ON backend_health.backend = deliveries.backend
WHERE state IN ('queued', 'delivering') AND (lease_until IS NULL OR lease_until < now())
    AND coalesce(first_tried_at, created_at) < now() - interval '{GIVE_UP_AFTER_H} hours'
    AND consecutive_failures > 0 AND (ok_at IS NULL OR ok_at < now() - interval '{GIVE_UP_AFTER_H} hours')
    AND NOT EXISTS (
        SELECT 1 FROM maintenance_windows AS closed WHERE closed.backend IN ('', deliveries.backend)
            AND starts_at <= now() AND (ends_at IS NULL OR ends_at > now() - interval '{GIVE_UP_AFTER_H} hours')
    )
ORDER BY deliveries.id LIMIT {BATCH}
"""  # noqa: S608 - constants of ours
# Whoever took it meanwhile keeps it.
_GIVE_UP = """
UPDATE deliveries SET state = 'needs_operator', unknown = unknown OR state = 'delivering', reason = 'gave_up',
    fence = fence + 1, lease_until = NULL, next_try_at = NULL, finished_at = now()
WHERE id = $1 AND state IN ('queued', 'delivering') AND (lease_until IS NULL OR lease_until < now()) RETURNING operation
"""


async def give_up(tools: CaseTools) -> int:
    """How many came before an officer. Each in a transaction of its own."""
    rows = await tools.database.fetch(_OVERDUE)
    given_up = 0
    for row in rows:
        async with tools.database.begin() as connection:
            given_up += await _give_up(connection, row["id"], row["case_id"])
    if given_up:
        log.warning("%d deliveries waited 72 hours for a system that never answered", given_up)
    return given_up


async def _give_up(connection: Connection, delivery_id: UUID, case_id: UUID) -> bool:
    case = await hold(connection, case_id)
    operation: Any = await connection.fetchval(_GIVE_UP, delivery_id)
    if operation == "submit":
        line = Line("with_officer", case["status"])
        await change_case(connection, case, line, delivery_state="needs_operator")
    return operation is not None

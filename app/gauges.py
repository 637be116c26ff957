"""What waits, as gauges of each worker: for alerts that counters of requests cannot give. All workers tell the same."""

from prometheus_client import Gauge

from app.database import Database

WAITING = Gauge("loket_deliveries_waiting", "Deliveries that wait", ["backend", "state"])
OLDEST_S = Gauge(
    "loket_delivery_oldest_seconds", "Age of the oldest delivery that no officer is needed for", ["backend"]
)
PARKED = Gauge("loket_jobs_parked", "Jobs that failed in a way nobody foresaw")
UNLINKED_S = Gauge("loket_audit_unlinked_seconds", "Age of the oldest row of the audit that is not chained yet")
_WAITING = """
SELECT backend, state, count(*) AS waiting,
    coalesce(max(extract(epoch FROM now() - created_at)) FILTER (WHERE state <> 'needs_operator'), 0)::float AS oldest_s
FROM deliveries WHERE state IN ('queued', 'delivering', 'needs_operator') GROUP BY backend, state
"""
_PARKED = "SELECT count(*) AS parked FROM pgqueuer WHERE status = 'failed'"
# Of the newest rows alone: the chain is linked in their order, and a year's rows are not gone through for a gauge.
_UNLINKED = """
SELECT coalesce(max(extract(epoch FROM now() - at)), 0)::float AS oldest_s FROM (
    SELECT id, at FROM audit_rows ORDER BY id DESC LIMIT 1000
) AS newest WHERE NOT EXISTS (SELECT FROM audit_links WHERE row_id = newest.id)
"""


async def tell_waiting(database: Database) -> None:
    """Count what waits now."""
    waiting = await database.fetch(_WAITING)
    [parked] = await database.fetch(_PARKED)
    [unlinked] = await database.fetch(_UNLINKED)
    WAITING.clear()
    OLDEST_S.clear()
    oldest_s: dict[str, float] = {}
    for row in waiting:
        WAITING.labels(row["backend"], row["state"]).set(row["waiting"])
        oldest_s[row["backend"]] = max(row["oldest_s"], oldest_s.get(row["backend"], 0.0))
    for backend, seconds in oldest_s.items():
        OLDEST_S.labels(backend).set(seconds)
    PARKED.set(parked["parked"])
    UNLINKED_S.set(unlinked["oldest_s"])

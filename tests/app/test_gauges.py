"""What waits, as gauges; and the operators' guide names no metric that is not there."""

import re

from prometheus_client import REGISTRY, generate_latest

import app.worker  # noqa: F401 -- every metric of a worker
from app.assembly import Product
from app.gauges import tell_waiting
from app.settings import ROOT
from tests.harness.deliveries import before_officer
from tests.harness.people import People
from tests.harness.tables import Tables


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_what_waits_is_told_and_forgotten_with_its_end(product: Product, people: People, tables: Tables) -> None:
    await before_officer(product, tables, await people.make())
    await tables.run("UPDATE deliveries SET created_at = now() - interval '2 hours'")
    await tell_waiting(product.database)
    assert gauge("loket_deliveries_waiting", backend="sicantik", state="needs_operator") == 1
    assert gauge("loket_delivery_oldest_seconds", backend="sicantik") == 0, "an officer's is no worker's"
    await tables.run("UPDATE deliveries SET state = 'queued'")
    await tables.run("UPDATE pgqueuer SET status = 'failed' WHERE entrypoint = 'deliver.sicantik'")
    await tell_waiting(product.database)
    assert (gauge("loket_delivery_oldest_seconds", backend="sicantik") or 0) > 7000
    assert gauge("loket_jobs_parked") == 1
    assert (gauge("loket_audit_unlinked_seconds") or 0) > 0, "nobody links here"
    await tables.run("UPDATE deliveries SET state = 'delivered'")
    await tell_waiting(product.database)
    assert gauge("loket_deliveries_waiting", backend="sicantik", state="queued") is None


def test_every_metric_the_guide_names_is_there() -> None:
    told = set(re.findall(r"loket_[a-z_]+", (ROOT / "docs/operations.md").read_text("utf-8")))
    names = set(re.findall(r"^# TYPE (\S+) ", generate_latest(REGISTRY).decode(), re.MULTILINE))
    there = {name + end for name in names for end in ("", "_bucket", "_count", "_sum")}
    assert {"loket_requests_total", "loket_audit_anchored_timestamp_seconds"} <= told
    assert told - there - {"loket_owner"} == set()

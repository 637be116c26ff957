"""The queue over many cases: each list and count reads its rows from an index, however many there are beside.

LOKET_QUEUE_CASES=1000000 measures what a city of that size has.
"""

import os
import statistics
import time
from typing import Any

import msgspec
import pytest

from app.asking import as_agency, asking
from app.assembly import Product
from app.dashboards.queue.listing import ITEM_COLUMNS
from app.dashboards.queue.wanted import Filters, on, statement_of
from app.ids import uuid7
from app.login.guards import Officer
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.tables import Tables

CASES = int(os.environ.get("LOKET_QUEUE_CASES", "40000"))
# A page may take so many times what a route takes that reads next to nothing, and what follows from the machine's load
# is in both. Reading all cases takes hundreds of times as long.
MOST_TIMES = 20
NEXT_TO_NOTHING = "/v1/officer/views"
# What a page may read for each row it shows, in pages of eight kilobytes.
MOST_BUFFERS = 4_000
_SEED = """
INSERT INTO cases (id, number, citizen_id, module, service, agency, backend, status, form_version, form_enc,
    delivery_state, due_on, submitted_at, assignee_id)
SELECT gen_random_uuid(), 'N' || n, $1, 'permits',
    CASE n % 5 WHEN 0 THEN 'research-permit' ELSE 'outdoor-advertising' END,
    CASE WHEN n % 3 = 0 THEN 'dinkes' ELSE 'dpmptsp' END, 'sicantik',
    CASE WHEN n % 20 = 0 THEN 'submitted' WHEN n % 23 = 0 THEN 'in_review' WHEN n % 211 = 0 THEN 'needs_citizen'
        WHEN n % 5003 = 0 THEN 'expired' ELSE 'completed' END,
    1, '', CASE WHEN n % 997 = 0 THEN 'queued' ELSE 'delivered' END, current_date - 200 + (n % 210),
    now() - make_interval(mins => n), CASE WHEN n % 17 = 0 THEN $2::uuid END
FROM generate_series(1, $3) AS n
"""
LISTS: list[dict[str, Any]] = [
    {},
    {"status": "submitted"},
    {"status": "expired"},
    {"status": "needs_citizen"},
    {"clock": "late"},
    {"clock": "soon_late"},
    {"delivery": "queued"},
    {"delivery": "undelivered"},
    {"delivery": "delivered"},
    {"assignee": "me"},
    {"assignee": "me", "status": "completed"},
    {"assignee": "nobody"},
    {"service": "research-permit"},
    {"service": "research-permit", "status": "in_review"},
    {"service": "research-permit", "clock": "late"},
    {"status": "needs_citizen", "assignee": "nobody"},
]


@pytest.fixture(scope="module")
async def officer(officers: Officers, people: People, tables: Tables) -> OfficerAtWork:
    made = await officers.make("supervisor")
    citizen = await people.make()
    await tables.run("SET statement_timeout = 0")
    await tables.run(_SEED, citizen.id, made.id, CASES)
    await tables.run("VACUUM ANALYZE cases")
    return made


@pytest.mark.parametrize("agency", ["dpmptsp", ""], ids=["agency", "city"])
@pytest.mark.parametrize("filters", LISTS, ids=lambda each: ",".join(f"{key}={value}" for key, value in each.items()))
async def test_a_page_reads_little(officer: OfficerAtWork, product: Product, filters: Any, agency: str) -> None:
    """As PostgreSQL plans it for the role that serves, with row-level security on."""
    asker = Officer("officer", officer.id, officer.name, agency, "supervisor", uuid7())
    wanted = on(asker, Filters(**filters), product.catalog.timezone, 25)
    statement, given = statement_of(wanted, ITEM_COLUMNS)
    with asking(as_agency(agency)):
        [plan] = await product.database.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *given)
    [told] = _read(plan["QUERY PLAN"])
    buffers = told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"]
    assert buffers < MOST_BUFFERS, told


@pytest.mark.parametrize("path", ["", "?clock=late", "/counts", "?status=needs_citizen&assignee=nobody"])
async def test_answers_soon(officer: OfficerAtWork, officers: Officers, path: str) -> None:
    for who in (officer, await officers.make("city_admin")):
        took: dict[str, list[float]] = {NEXT_TO_NOTHING: [], f"/v1/officer/cases{path}": []}
        for _ in range(12):
            for asked, seconds in took.items():
                began = time.monotonic()
                answer = await who.client.get(asked)
                seconds.append(time.monotonic() - began)
                assert answer.status_code == 200
        least_s, page_s = (statistics.median(seconds) for seconds in took.values())
        assert page_s < MOST_TIMES * least_s, took


def _read(plan: Any) -> Any:
    return msgspec.json.decode(plan) if isinstance(plan, str) else plan

"""F04, end to end: an agency answers with what nobody understands: citizens are answered all the same, no row takes
anything from it, what it said stands before officers, and once it makes sense again each case is there once."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.deliveries import delivery_of
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

CASES = 3
PATIENCE_S = 120
_TRIED = "SELECT outcome, detail FROM delivery_attempts WHERE delivery_id = $1 AND finished_at IS NOT NULL"
_TAKEN = "SELECT delivery_state, agency_reference, status FROM cases WHERE id = ANY($1::uuid[])"


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


@pytest.mark.timeout(300)
async def test_nothing_is_taken_from_it(
    people: People, officers: Officers, bench: HttpWorkbench, worker: Running, tables: Tables
) -> None:
    await bench.fault("malformed")
    citizen = await people.make()
    cases = [await hand_in(citizen) for _ in range(CASES)]
    officer = await officers.make()
    for case in cases:
        tried = await tried_once(tables, await delivery_of(tables, case))
        assert tried["outcome"] in ("unknown", "unavailable")
        shown = await officer.get(f"/v1/officer/deliveries/{await delivery_of(tables, case)}")
        assert any(each["exchanges"] for each in shown.json()["attempts"])
        for path in (f"/v1/cases/{case['id']}", "/v1/cases"):
            assert (await citizen.get(path)).status_code == 200
    ids = [UUID(case["id"]) for case in cases]
    for row in await tables.rows(_TAKEN, ids):
        assert (row["agency_reference"], row["status"]) == (None, "submitted")
        assert row["delivery_state"] in ("queued", "delivering")
    await bench.heal()
    for case in cases:
        await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    registered = Counter(each.reference for each in await bench.ledger() if each.operation == "register")
    assert registered == Counter(case["number"] for case in cases)


async def tried_once(tables: Tables, delivery_id: UUID) -> dict[str, object]:
    """Its first try that came to an end. Raises AssertionError where none does."""
    for _ in range(PATIENCE_S * 10):
        if rows := await tables.rows(_TRIED, delivery_id):
            return rows[0]
        await tables.run("SELECT pg_sleep(0.1)")
    raise AssertionError(delivery_id)

"""Social aid while the bus throttles, ends tokens or refuses us: cases wait, officers read why, nothing is doubled."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sandbox.client import HttpWorkbench
from integrations.dtsen.households import population
from tests.harness.aid import hand_in, objection
from tests.harness.cases import is_delivered, until
from tests.harness.deliveries import delivery_of
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

PATIENCE_S = 40.0
# Heads of households whom the register knows.
KNOWN = iter([(each.members[0].nik, each.members[0].name) for each in population()[3:60]])
_TRIED = """
SELECT finished_at, outcome, detail FROM delivery_attempts
WHERE delivery_id IN (SELECT id FROM deliveries WHERE case_id::text = $1) ORDER BY number
"""


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes, worker: Running) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("dtsen") as opened:
        yield opened


async def known(people: People) -> Citizen:
    """Somebody new whom the agency knows."""
    nik, name = next(KNOWN)
    return await people.make(nik=nik, name=name)


async def tried(tables: Tables, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The tries of a case's delivery, once one has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [dict(row) for row in await tables.rows(_TRIED, case["id"])]
            if any(row["finished_at"] for row in found):
                return found
            await asyncio.sleep(0.1)


async def effects(bench: HttpWorkbench) -> Counter[str]:
    return Counter(each.reference for each in await bench.ledger() if each.operation == "submit")


@pytest.mark.parametrize("way", ["with_retry_after", "next_access_in_body"])
async def test_a_throttled_case_waits_as_long_as_it_is_told_to(
    people: People, bench: HttpWorkbench, tables: Tables, way: str
) -> None:
    citizen = await known(people)
    await bench.quirks(throttling=way, faults="xml")
    case = await hand_in(citizen, "aid-objection", objection())
    shown = await citizen.get("/v1/social-aid/entitlements")
    assert (shown.status_code, shown.json()["code"]) == (503, "agency_unavailable")
    assert int(shown.headers["retry-after"]) >= 1
    first = (await tried(tables, case))[0]
    assert "900800" in first["detail"]
    assert (await citizen.get(f"/v1/cases/{case['id']}")).json()["delivery"]["state"] == "queued"
    await bench.quirks()
    await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    assert (await effects(bench))[case["number"]] == 1


async def test_what_an_operator_must_mend_is_told_to_officers(
    people: People, officers: Officers, bench: HttpWorkbench, tables: Tables
) -> None:
    citizen, operator = await known(people), await officers.make("operator", "dinsos")
    await bench.quirks(subscription="none", faults="nested")
    case = await hand_in(citizen, "aid-objection", objection())
    await tried(tables, case)
    seen = (await operator.get(f"/v1/officer/deliveries/{await delivery_of(tables, case)}")).json()
    assert seen["state"] == "queued"
    assert "900908" in seen["attempts"][-1]["detail"]
    assert "our subscription in the portal of the bus" in seen["attempts"][-1]["detail"]
    assert citizen.person.nik not in str(seen)
    await bench.quirks()
    await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    assert (await effects(bench))[case["number"]] == 1


async def test_tokens_that_end_all_the_time_double_nothing(people: People, bench: HttpWorkbench) -> None:
    await bench.quirks(token="five_uses", faults="xml")
    citizens = [await known(people) for _ in range(12)]
    cases = await asyncio.gather(*(hand_in(each, "aid-objection", objection()) for each in citizens))
    for citizen, case in zip(citizens, cases, strict=True):
        await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    await bench.quirks()
    seen = await effects(bench)
    assert [seen[case["number"]] for case in cases] == [1] * len(cases)


async def test_a_fault_after_the_agency_was_asked_is_looked_up(
    people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    """The matter is registered, and the answer that comes through the bus is torn: found by our reference."""
    citizen = await known(people)
    await bench.fault("malformed", ["submit"])
    case = await hand_in(citizen, "aid-objection", objection())
    first = (await tried(tables, case))[0]
    assert first["outcome"] == "unknown"
    await bench.heal()
    await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    assert (await effects(bench))[case["number"]] == 1

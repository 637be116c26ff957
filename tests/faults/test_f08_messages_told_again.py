"""The WhatsApp gateway tells what became of a message; what counts is what it answers when it is asked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
async def gateway(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("fonnte") as opened:
        yield opened


async def eventually(tables: Tables, statement: str, *given: Any) -> Any:
    """The value of a statement once it has one that counts. Raises AssertionError where it never does."""
    for _ in range(600):
        found = await tables.value(statement, *given)
        if found:
            return found
        await tables.run("SELECT pg_sleep(0.1)")
    raise AssertionError(statement)


async def test_a_callback_has_the_gateway_asked_and_is_not_believed(
    people: People, gateway: HttpWorkbench, worker: Running, tables: Tables
) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    sent = "SELECT max(gateway_id) FROM outgoing_messages WHERE state = 'sent' AND gateway_id <> ''"
    gateway_id = await eventually(tables, sent)
    reached = "SELECT reached FROM outgoing_messages WHERE gateway_id = $1"
    # It says that it failed; asked, it still tries.
    assert set(await gateway.call_back(gateway_id, "invalid", repeat=20)) == {200}
    assert await eventually(tables, reached, gateway_id) == "waiting"
    await gateway.work(gateway_id, "sent")
    assert await gateway.call_back(gateway_id, "sent") == [200]
    await eventually(tables, f"{reached} AND reached = 'sent'", gateway_id)
    # Late and wrong words after the end have nobody asked.
    assert await gateway.call_back(gateway_id, "pending", delay_ms=50) == [200]
    assert await tables.value(reached, gateway_id) == "sent"
    asked = await tables.rows("SELECT times, outcome FROM callback_receipts ORDER BY times DESC")
    assert asked == [{"times": 20, "outcome": "asked"}, *[{"times": 1, "outcome": "asked"}] * 2]
    assert await gateway.call_back("999999999", "sent") == [200]
    unknown = "SELECT outcome FROM callback_receipts WHERE reference = '999999999'"
    assert await tables.value(unknown) == "unknown"

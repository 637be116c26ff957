"""Deliveries for tests, brought into a state as a worker would bring them there."""

from typing import Any
from uuid import UUID

from app.assembly import Product
from app.cases.claims import Outcome, claim
from app.cases.settle import settle_case
from tests.harness.cases import hand_in
from tests.harness.people import Citizen
from tests.harness.tables import Tables


async def delivery_of(tables: Tables, case: dict[str, Any]) -> UUID:
    """The case's newest."""
    found = await tables.value("SELECT id FROM deliveries WHERE case_id = $1 ORDER BY id DESC", UUID(case["id"]))
    return UUID(str(found))


async def ended_as(product: Product, delivery_id: UUID, outcome: Outcome) -> None:
    """One try that came to `outcome`."""
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
        assert held is not None
        await settle_case(connection, held, outcome)


async def before_officer(
    product: Product, tables: Tables, citizen: Citizen, *, reason: str = "cannot_tell", unknown: bool = True
) -> tuple[dict[str, Any], UUID]:
    """A case handed in whose delivery waits for an officer."""
    case = await hand_in(citizen)
    delivery_id = await delivery_of(tables, case)
    await ended_as(product, delivery_id, Outcome(state="needs_operator", unknown=unknown, reason=reason))
    return case, delivery_id

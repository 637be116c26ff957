"""People's words stand sealed among other values: what is none of them is shown as it stands."""

import pytest

from app.assembly import Product
from app.cases.claims import Outcome
from tests.harness.cases import hand_in
from tests.harness.deliveries import delivery_of, ended_as
from tests.harness.people import People
from tests.harness.tables import Tables


@pytest.mark.parametrize("number", ["sealed:", "sealed:AAAA", "sealed:abc", "sealed:AQECAwQFBgcICQoLDA0ODxAREhM="])
async def test_a_number_is_never_taken_for_sealed_words(
    people: People, product: Product, tables: Tables, number: str
) -> None:
    """An agency may call a matter what it likes: neither its citizen nor their inbox goes blind of it."""
    citizen = await people.make()
    case = await hand_in(citizen)
    await ended_as(product, await delivery_of(tables, case), Outcome(state="delivered", reference=number))
    shown = await citizen.get(case["links"]["self"])
    assert (shown.status_code, shown.json()["delivery"]["reference"]) == (200, number)
    assert (await citizen.get("/v1/inbox")).status_code == 200
    parts = (await citizen.get("/v1/home")).json()["parts"]
    assert [part["reason"] for part in parts if part["kind"] in ("cases", "messages")] == [None, None]

"""The whole machine of deliveries against an agency as bad as they come, by chance: every case is there once or before
an officer, and nothing else is told of it.

Each seed is a day of its own. LOKET_MACHINE_SEEDS=1-200 are many, LOKET_MACHINE_STEPS says how long each is.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from app.assembly import Product, build
from tests.harness.machine import Machine, machine_at_work
from tests.harness.machine_checks import broken
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

FIRST, _, LAST = os.environ.get("LOKET_MACHINE_SEEDS", "1").partition("-")
STEPS = int(os.environ.get("LOKET_MACHINE_STEPS", "40"))
QUIET_WITHIN_S = 200
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    built = build(api.settings, "test")
    await built.backends.controls.open()
    yield built
    await built.close()


async def quiet(machine: Machine) -> None:
    """Until nothing is under way any more. Raises AssertionError with what still is."""
    machine.agency.healed = True
    async with asyncio.timeout(QUIET_WITHIN_S):
        while left := await machine.open_deliveries():
            await machine.sweep()
            await asyncio.sleep(0.5)
    assert not left


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
async def test_every_case_is_there_once_or_before_an_officer(
    product: Product, people: People, tables: Tables, seed: int
) -> None:
    async with machine_at_work(product, people, tables, seed) as machine:
        for _ in range(STEPS):
            await machine.step()
        await quiet(machine)
        found = await broken(machine.agency, tables, machine.numbers)
    assert found == [], f"seed {seed}, {dict(machine.agency.modes)}, {dict(machine.done)}"
    assert sum(machine.done.values()) >= STEPS
    assert len(machine.agency.modes) > 1, "nothing went wrong: nothing is shown"

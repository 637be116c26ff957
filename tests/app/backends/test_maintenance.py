"""Planned maintenance from one end to the other: told beforehand, cases wait and say so, and go out when it is over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.backends import actions
from app.backends.actions import Plan, Window
from app.backends.controls import Controls
from app.database import Database
from app.valkey import Valkey
from tests.harness.cases import SERVICE, hand_in, is_delivered, until
from tests.harness.people import Citizen
from tests.harness.product import Running, Sandboxes
from tests.harness.tickets import PUSKESMAS, ask, ticket_form

OFFICER = "officer-1"


class Desk:
    """What an operator does, told to every process."""

    def __init__(self, database: Database, valkey: Valkey) -> None:
        self._database = database
        self._controls = Controls(database, valkey)

    async def plan(self, plan: Plan) -> Window:
        async with self._database.begin() as connection:
            window = await actions.plan_maintenance(connection, plan, OFFICER)
        await self._controls.announce()
        return window

    async def end(self, window: Window) -> None:
        async with self._database.begin() as connection:
            await actions.end_maintenance(connection, window.id, OFFICER)
        await self._controls.announce()


@pytest.fixture
async def desk(postgres_url: str, valkey_url: str) -> AsyncIterator[Desk]:
    database, valkey = Database(postgres_url, pool_size=2, name="test"), Valkey(valkey_url)
    yield Desk(database, valkey)
    await valkey.close()
    await database.close()


async def service(citizen: Citizen, slug: str = SERVICE) -> dict[str, Any]:
    told: dict[str, Any] = (await citizen.get(f"/v1/services/{slug}")).json()
    return told


async def numbers(citizen: Citizen) -> list[str]:
    return [case["number"] for case in (await citizen.get("/v1/cases")).json()["items"]]


async def service_once(citizen: Citizen, told_so: Callable[[dict[str, Any]], bool], slug: str = SERVICE) -> Any:
    """The catalogue's entry once it tells so."""
    told: dict[str, Any] = {}
    for _ in range(200):
        told = await service(citizen, slug)
        if told_so(told):
            return told
        await asyncio.sleep(0.1)
    raise AssertionError(told)


def in_maintenance(told: dict[str, Any]) -> bool:
    return bool(told["availability"] == "maintenance")


async def test_a_case_waits_says_so_and_goes_out_afterwards(
    desk: Desk, citizen: Citizen, worker: Running, sandboxes: Sandboxes
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    window = await desk.plan(Plan(backend="sicantik", ends_at=ends, reason="basis data dipindah"))
    told = await service_once(citizen, in_maintenance)
    assert datetime.fromisoformat(told["maintenance"]["ends_at"]) == ends
    case = await hand_in(citizen)
    assert (case["delivery"]["state"], case["delivery"]["waits_for"]) == ("queued", "maintenance")
    assert datetime.fromisoformat(case["delivery"]["waits_until"]) == ends
    assert "pemeliharaan" in case["delivery"]["text"]
    await desk.end(window)
    delivered = await until(citizen, case["id"], is_delivered, timeout_s=60)
    assert (delivered["delivery"]["waits_for"], delivered["delivery"]["waits_until"]) == (None, None)
    async with sandboxes.bench("sicantik") as bench:
        assert len([effect for effect in await bench.ledger() if effect.operation == "register"]) == 1
    await service_once(citizen, lambda told: told["availability"] == "available")


async def test_nothing_was_sent_while_it_lasted(
    desk: Desk, citizen: Citizen, worker: Running, sandboxes: Sandboxes
) -> None:
    async with sandboxes.bench("sicantik") as bench:
        before = len(await bench.ledger())
        window = await desk.plan(Plan(backend="sicantik", ends_at=None, reason="jeda"))
        await service_once(citizen, in_maintenance)
        cases = [await hand_in(citizen) for _ in range(2)]
        assert [case["delivery"]["waits_until"] for case in cases] == [None, None]
        assert len(await bench.ledger()) == before
        await desk.end(window)
        for case in cases:
            await until(citizen, case["id"], is_delivered, timeout_s=60)


async def test_what_is_to_come_is_told_and_hinders_nobody(desk: Desk, citizen: Citizen, sandboxes: Sandboxes) -> None:
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    plan = Plan(backend="sicantik", starts_at=begins, ends_at=begins + timedelta(hours=4), reason="listrik")
    window = await desk.plan(plan)
    told = await service_once(citizen, lambda told: told["maintenance"] is not None)
    assert told["availability"] == "available"
    assert datetime.fromisoformat(told["maintenance"]["starts_at"]) == begins
    await desk.end(window)


async def test_a_ticket_is_refused_before_anything_is_stored(
    desk: Desk, citizen: Citizen, sandboxes: Sandboxes
) -> None:
    window = await desk.plan(Plan(service="puskesmas-queue-ticket", ends_at=None, reason="jeda"))
    await service_once(citizen, in_maintenance, "puskesmas-queue-ticket")
    before = await numbers(citizen)
    answer = await ask(citizen, ticket_form(facility=PUSKESMAS))
    assert (answer.status_code, answer.json()["code"]) == (503, "service_in_maintenance")
    assert int(answer.headers["Retry-After"]) > 0
    assert await numbers(citizen) == before
    await desk.end(window)

"""1,000 tickets, every tenth answer lost, API and worker killed on the way: ledger and cases agree exactly."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import httpx
import pytest

from app.database import driver_url
from tests.harness.cases import new_key
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, Sandboxes, free_port
from tests.harness.tickets import OTHER_PUSKESMAS, open_day, ticket_form

CITIZENS, EACH = 250, 4
KILLS = 3
AT_ONCE = 12
PATIENCE_S = 200


@pytest.mark.timeout(600)
async def test_every_ticket_is_one_case_and_every_case_one_ticket(
    api: Api, people: People, sandboxes: Sandboxes, start_process: Callable[..., Running], postgres_url: str
) -> None:
    citizens = [await people.make() for _ in range(CITIZENS)]
    port = free_port()
    serving = {"LOKET_PORT": str(port), "LOKET_PUBLIC_URL": api.url}
    bench = sandboxes.bench("antrean_fktp")
    await bench.fault("lost_answer", ["take"], rate=0.1)
    server, worker = start_process("serve", **serving), start_process("work")
    worker.wait_for("worker ready")
    server.wait_for("Uvicorn running")

    room = asyncio.Semaphore(AT_ONCE)
    asking = asyncio.gather(*(ask_all(citizen, f"http://127.0.0.1:{port}", room) for citizen in citizens))
    for _ in range(KILLS):
        await asyncio.sleep(4)
        server.kill()
        worker.kill()
        server, worker = start_process("serve", **serving), start_process("work")
    await asking
    await bench.heal()

    cases = await settled(postgres_url)
    taken = Counter(effect.reference for effect in await bench.ledger() if effect.operation == "take")
    await bench.close()
    assert {number: times for number, times in taken.items() if times > 1} == {}
    held = {number for number, (status, _) in cases.items() if status == "in_review"}
    assert held == set(taken)
    assert {state for status, state in cases.values() if status == "in_review"} == {"delivered"}
    # Each of the thousand was asked for until it was had.
    assert len(held) == CITIZENS * EACH


async def ask_all(citizen: Citizen, base: str, room: asyncio.Semaphore) -> None:
    """One ticket for each of the coming days."""
    for number in range(EACH):
        day = open_day(OTHER_PUSKESMAS, skip=number).isoformat()
        form = ticket_form(facility=OTHER_PUSKESMAS, visit_on=day, doctor="145041", hours="07:30-12:30")
        async with room:
            await until_had(citizen, base, form)


async def until_had(citizen: Citizen, base: str, form: dict[str, object]) -> None:
    """Ask as a phone does that never gives up: under one key while nobody answers, under a new one once it ended
    without a ticket."""
    key, body = new_key(), {"service": "puskesmas-queue-ticket", "form": form}
    while True:
        try:
            answer = await citizen.client.post(f"{base}/v1/cases", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            await asyncio.sleep(0.3)
            continue
        if answer.status_code == 503:
            await asyncio.sleep(0.3)
            continue
        assert answer.status_code in (201, 202), answer.text
        if answer.status_code == 201 or await ended_well(citizen, base, answer.json()["id"]):
            return
        key = new_key()


async def ended_well(citizen: Citizen, base: str, case_id: str) -> bool:
    """Whether a ticket whose answer was lost turned out to be there."""
    while True:
        with suppress(httpx.TransportError):
            case = (await citizen.client.get(f"{base}/v1/cases/{case_id}")).json()
            if case.get("status") in ("in_review", "expired"):
                return bool(case["status"] == "in_review")
            assert case.get("status") in ("submitted", None), case
        await asyncio.sleep(0.5)


async def settled(postgres_url: str) -> dict[str, tuple[str, str]]:
    """Each case's status and delivery state once none is under way. Raises AssertionError where some stay so."""
    connection = await asyncpg.connect(driver_url(postgres_url))
    states: dict[str, tuple[str, str]] = {}
    try:
        for _ in range(PATIENCE_S):
            rows = await connection.fetch("SELECT number, status, delivery_state FROM cases")
            states = {row["number"]: (row["status"], row["delivery_state"]) for row in rows}
            if not any(state in ("queued", "delivering") for _, state in states.values()):
                return states
            await asyncio.sleep(1)
    finally:
        await connection.close()
    raise AssertionError(Counter(states.values()))

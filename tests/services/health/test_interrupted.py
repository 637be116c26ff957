"""A ticket's request is cut off in the middle: its process killed, its citizen gone, its key sent again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import date
from typing import Any

import httpx
import msgspec
import pytest

from app.assembly import build
from app.cases.casedata import FORM_CONTEXT
from app.sandbox.client import HttpWorkbench
from services.health.facilities import today_at
from tests.harness.cases import new_key, until
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, Sandboxes, free_port
from tests.harness.tables import Tables
from tests.harness.tickets import HOSPITAL, SERVICE, ask, facility, hospital_form, ticket_form

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("antrean_fktp") as held:
        yield held
        await held.heal()


async def cut_off(
    citizen: Citizen,
    body: dict[str, Any],
    key: str,
    start: Callable[..., Running],
    issuer: str,
    reached: Callable[[], Awaitable[bool]],
) -> None:
    """Ask on a process that is killed as soon as the asking has `reached` its point."""
    port = free_port()
    running = start("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=issuer)
    running.wait_for("Uvicorn running")
    headers = {"Idempotency-Key": key}
    asking = asyncio.create_task(citizen.client.post(f"http://127.0.0.1:{port}/v1/cases", json=body, headers=headers))
    async with asyncio.timeout(90):
        while not await reached():
            assert not asking.done(), f"answered before it got there: {asking.result().text}"
            await asyncio.sleep(0.05)
    running.kill()
    with suppress(httpx.TransportError):
        answer = await asking
        raise AssertionError(f"killed too late: {answer.text}")


async def test_killed_after_the_facility_gave_it(
    people: People, bench: HttpWorkbench, start_process: Callable[..., Running], api: Api
) -> None:
    citizen, key = await people.make(), new_key()
    body = {"service": SERVICE, "form": ticket_form()}
    await bench.fault("slow_body", ["take"])

    async def given() -> bool:
        return any(effect.operation == "take" for effect in await bench.ledger())

    await cut_off(citizen, body, key, start_process, api.url, given)
    await bench.heal()
    again = await citizen.post("/v1/cases", body, key=key)
    assert again.status_code == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    case = await until(citizen, again.json()["id"], lambda shown: shown["status"] == "in_review", timeout_s=40)
    effects = [effect for effect in await bench.ledger() if effect.operation == "take"]
    assert [effect.reference for effect in effects] == [case["number"]]


async def test_killed_before_the_facility_gave_anything(
    people: People, bench: HttpWorkbench, start_process: Callable[..., Running], api: Api
) -> None:
    """Then nothing is asked for later, when nobody waits for it any more."""
    citizen, key = await people.make(), new_key()
    body = {
        "service": SERVICE,
        "form": ticket_form(facility="puskesmas-sukorame", doctor="145041", hours="07:30-12:30"),
    }
    await bench.fault("hang", ["take"])

    async def stored() -> bool:
        return bool((await citizen.get("/v1/cases")).json()["items"])

    await cut_off(citizen, body, key, start_process, api.url, stored)
    await bench.heal()
    again = await citizen.post("/v1/cases", body, key=key)
    case = await until(citizen, again.json()["id"], lambda shown: shown["status"] != "submitted", timeout_s=60)
    assert (case["status"], case["delivery"]["state"]) == ("expired", "rejected")
    assert not [effect for effect in await bench.ledger() if effect.reference == case["number"]]
    messages = (await citizen.get("/v1/inbox")).json()["items"]
    assert any(case["number"] in message["text"] for message in messages)


async def test_a_key_that_was_refused_stays_refused(people: People) -> None:
    citizen, key = await people.make(nik="3571010101759005", name="Tanpa Nama"), new_key()
    form = ticket_form()
    first, again = await ask(citizen, form, key), await ask(citizen, form, key)
    assert (first.status_code, first.json()["code"]) == (409, "agency_refused")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Content-Type"] == "application/problem+json"
    assert len((await citizen.get("/v1/cases")).json()["items"]) == 1


async def test_on_its_day_the_hospital_hears_that_the_patient_is_there(
    people: People, api: Api, tables: Tables, sandboxes: Sandboxes
) -> None:
    citizen = await people.make()
    form = hospital_form()
    case = (await ask(citizen, form)).json()
    await move_to(today_at(facility(HOSPITAL)), case["id"], form, api, tables)
    for _ in range(2):
        answer = await citizen.post(f"/v1/health/tickets/{case['id']}/check-in", None)
        assert answer.status_code == 200, answer.text
    async with sandboxes.bench("antrean_rs") as hospital:
        effects = [effect.operation for effect in await hospital.ledger() if effect.reference == case["number"]]
    assert effects.count("check_in") == 1
    kinds = [event["kind"] for event in (await citizen.get(f"/v1/cases/{case['id']}")).json()["timeline"]]
    assert kinds.count("checked_in") == 1


async def move_to(day: date, case_id: str, form: dict[str, Any], api: Api, tables: Tables) -> None:
    """The case as if it had been asked for that day: no test waits for it."""
    product = build(api.settings, "test")
    sealed = product.vault.encrypt(msgspec.json.encode(form | {"visit_on": day.isoformat()}), FORM_CONTEXT)
    await product.close()
    await tables.run("UPDATE cases SET form_enc = $1 WHERE id = $2", sealed, case_id)

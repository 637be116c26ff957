"""Handing cases over with a real worker and a sandbox: delivered, refused, answers lost, workers killed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.assembly import build
from app.cases.numbers import is_case_number
from app.login.models import NAME
from app.sandbox.client import HttpWorkbench
from app.sandbox.port import Effect
from tests.harness.cases import PDF, hand_in, is_delivered, until
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, Sandboxes
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


@pytest.fixture(autouse=True)
async def healed(bench: HttpWorkbench, worker: Running) -> AsyncIterator[None]:
    yield
    await bench.heal()


async def registered(bench: HttpWorkbench, number: str) -> list[Effect]:
    return [one for one in await bench.ledger() if one.operation == "register" and one.reference == number]


async def until_registered(bench: HttpWorkbench, number: str) -> Effect:
    for _ in range(400):
        if found := await registered(bench, number):
            return found[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{number} never arrived")


def is_with_officer(case: dict[str, Any]) -> bool:
    return bool(case["delivery"]["state"] == "needs_operator")


def assert_gapless(case: dict[str, Any]) -> None:
    assert [event["seq"] for event in case["timeline"]] == list(range(1, len(case["timeline"]) + 1))
    times = [event["at"] for event in case["timeline"]]
    assert times == sorted(times)


async def test_delivered(people: People, bench: HttpWorkbench, tables: Tables) -> None:
    citizen = await people.make()
    opened = await hand_in(citizen)
    case = await until(citizen, opened["id"], is_delivered)
    [effect] = await registered(bench, case["number"])
    assert case["delivery"]["reference"] == effect.data["no_pendaftaran"]
    assert case["delivery"]["reason"] is None
    assert [event["kind"] for event in case["timeline"]][:2] == ["submitted", "delivered"]
    assert effect.data["no_pendaftaran"] in case["timeline"][1]["text"]
    assert_gapless(case)
    form = effect.data["form"]
    assert isinstance(form, dict)
    assert (form["nama_pemohon"], form["no_refer"]) == (citizen.person.name, case["number"])
    assert is_case_number(form["no_refer"])
    assert effect.data["file"] == {"name": f"{case['number']}.pdf", "bytes": len(PDF), "kept": True}
    audited = await tables.rows(
        "SELECT actor_kind, action, subject_id FROM audit_rows WHERE object_id = $1 ORDER BY id", case["id"]
    )
    assert [(row["actor_kind"], row["action"]) for row in audited] == [("citizen", "case.submit"), ("job", "case.sent")]
    assert {row["subject_id"] for row in audited} == {citizen.id}
    inbox = (await citizen.get("/v1/inbox")).json()["items"]
    assert [message["case_id"] for message in inbox] == [case["id"]]


async def test_a_refusal_of_the_agency_is_final_and_told(
    api: Api, people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    citizen = await people.make()
    product = build(api.settings, "test")
    # A name of nothing but invisible letters: the agency's own system refuses a registration without one.
    await tables.run(
        "UPDATE citizens SET name_enc = $1 WHERE id = $2",
        product.vault.encrypt("\u200b\u200b".encode(), NAME),
        citizen.id,
    )
    await product.close()
    opened = await hand_in(citizen)
    case = await until(citizen, opened["id"], lambda shown: shown["delivery"]["state"] == "rejected")
    assert case["status"] == "rejected"
    assert case["delivery"]["reason"].startswith("Sistem instansi")
    assert case["timeline"][-1]["kind"] == "delivery_rejected"
    assert case["next_action"]["code"] == "rate"
    assert_gapless(case)
    assert await registered(bench, case["number"]) == []


@pytest.mark.parametrize("mode", ["lost_answer", "malformed"])
async def test_a_lost_answer_is_linked_and_never_doubled(people: People, bench: HttpWorkbench, mode: str) -> None:
    citizen = await people.make()
    await bench.fault(mode, ["register"])
    opened = await hand_in(citizen)
    case = await until(citizen, opened["id"], is_delivered)
    [effect] = await registered(bench, case["number"])
    assert case["delivery"]["reference"] == effect.data["no_pendaftaran"]
    assert [event["kind"] for event in case["timeline"]].count("delivered") == 1


async def test_a_lost_answer_that_fits_two_registrations_goes_to_an_officer(
    people: People, bench: HttpWorkbench, sandboxes: Sandboxes
) -> None:
    citizen = await people.make()
    first = await hand_in(citizen)
    await until(citizen, first["id"], is_delivered)
    [effect] = await registered(bench, first["number"])
    # The same person asks for the same thing at the agency's own counter.
    async with httpx.AsyncClient() as counter:
        form = {**dict(effect.data["form"]), "no_refer": ""}  # type: ignore[call-overload]
        await counter.post(f"{sandboxes.url('sicantik')}/backoffice/api/pendaftaran", data=form)
    await bench.fault("lost_answer", ["register"])
    second = await hand_in(citizen)
    case = await until(citizen, second["id"], is_with_officer)
    assert case["status"] == "submitted"
    assert case["delivery"]["reference"] is None
    assert case["timeline"][-1]["kind"] == "with_officer"
    await bench.heal()
    await asyncio.sleep(2)
    assert len(await registered(bench, case["number"])) == 1
    assert is_with_officer((await citizen.get(f"/v1/cases/{case['id']}")).json())


async def test_a_worker_killed_in_the_middle_is_followed_by_another(
    people: People, bench: HttpWorkbench, worker: Running, start_process: Callable[..., Running], tables: Tables
) -> None:
    citizen = await people.make()
    await bench.fault("slow_body", ["register"])
    opened = await hand_in(citizen)
    case_id = UUID(opened["id"])
    await until_registered(bench, opened["number"])
    worker.kill()
    await bench.heal()
    start_process("work").wait_for("worker ready")
    await asyncio.sleep(1)
    shown = (await citizen.get(f"/v1/cases/{case_id}")).json()
    assert shown["delivery"]["state"] == "delivering"
    # The dead worker's lease on the delivery, and its hold on the job, end; here they end now.
    await tables.run("UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE case_id = $1", case_id)
    await tables.run("UPDATE pgqueuer SET heartbeat = now() - interval '1 hour' WHERE status = 'picked'")
    await tables.run("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")
    case = await until(citizen, opened["id"], is_delivered, timeout_s=40)
    [effect] = await registered(bench, case["number"])
    assert case["delivery"]["reference"] == effect.data["no_pendaftaran"]
    tries = await tables.rows("SELECT fence, attempts FROM deliveries WHERE case_id = $1", case_id)
    assert tries == [{"fence": 2, "attempts": 2}]


async def test_two_of_one_lane_are_never_under_way_at_once(
    people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    """Five cases of one person for one service: over there nobody could tell them apart by a lost answer."""
    citizen = await people.make()
    await bench.fault("ok", ["register"], latency_ms=300)
    cases = [await hand_in(citizen) for _ in range(5)]
    most = 0
    for _ in range(400):
        under_way = await tables.value(
            "SELECT count(*) FROM deliveries JOIN cases ON cases.id = case_id "
            "WHERE citizen_id = $1 AND state = 'delivering'",
            citizen.id,
        )
        most = max(most, under_way)
        states = await tables.rows("SELECT delivery_state FROM cases WHERE citizen_id = $1", citizen.id)
        if {row["delivery_state"] for row in states} == {"delivered"}:
            break
        await asyncio.sleep(0.05)
    assert most == 1
    references = {(await citizen.get(f"/v1/cases/{case['id']}")).json()["delivery"]["reference"] for case in cases}
    assert len(references) == len(cases)
    assert None not in references


async def test_others_do_not_wait_for_a_slow_lane(people: People, bench: HttpWorkbench) -> None:
    one, other = await people.make(), await people.make()
    await bench.fault("ok", ["register"], latency_ms=1000)
    slow = [await hand_in(one) for _ in range(3)]
    quick = await hand_in(other)
    await until(other, quick["id"], is_delivered, timeout_s=6)
    await bench.heal()
    for case in slow:
        await until(one, case["id"], is_delivered)


async def test_withdrawn_before_anybody_took_it_the_agency_never_hears_of_it(
    people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    citizen: Citizen = await people.make()
    await bench.fault("ok", ["register"], latency_ms=800)
    first = await hand_in(citizen)
    await until(citizen, first["id"], lambda shown: shown["delivery"]["state"] == "delivering")
    waiting = await hand_in(citizen)  # behind the first in its lane
    answer = await citizen.post(waiting["links"]["withdraw"], {"reason": "Salah isi"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["delivery"]) == ("withdrawn", None)
    await until(citizen, first["id"], is_delivered)
    await asyncio.sleep(1.5)
    shown = (await citizen.get(waiting["links"]["self"])).json()
    assert (shown["status"], shown["delivery"]) == ("withdrawn", None)
    assert [event["kind"] for event in shown["timeline"]] == ["submitted", "withdrawn"]
    assert await registered(bench, waiting["number"]) == []
    assert await tables.value("SELECT count(*) FROM deliveries WHERE case_id = $1", UUID(waiting["id"])) == 1


async def test_withdrawn_after_delivery_an_officer_tells_the_agency(
    people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    """SICANTIK takes no withdrawals: it is not silently dropped, and not sent as something else."""
    citizen = await people.make()
    opened = await hand_in(citizen)
    await until(citizen, opened["id"], is_delivered)
    answer = await citizen.post(opened["links"]["withdraw"], {"reason": "Toko pindah"})
    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    again = await citizen.post(opened["links"]["withdraw"], {"reason": "Toko pindah"})
    assert (again.status_code, again.json()["updated_at"]) == (200, answer.json()["updated_at"])
    told: dict[str, Any] = {}
    for _ in range(100):
        [told] = await tables.rows(
            "SELECT state, reason, payload_enc FROM deliveries WHERE case_id = $1 AND operation = 'withdraw'",
            UUID(opened["id"]),
        )
        if told["state"] not in ("queued", "delivering"):
            break
        await asyncio.sleep(0.1)
    assert (told["state"], told["reason"]) == ("needs_operator", "by_hand")
    assert b"Toko pindah" not in told["payload_enc"]
    await bench.work(opened["number"])
    await asyncio.sleep(3)
    shown = (await citizen.get(opened["links"]["self"])).json()
    assert shown["status"] == "withdrawn"
    assert_gapless(shown)

"""What the agency's officers do reaches the citizen: by polling, each step once, and never backwards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product, build
from app.cases.port import Progress, Step
from app.cases.settle import apply_progress
from app.sandbox.client import HttpWorkbench
from app.settings import read_settings
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

POLL_S = 2.0


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes, worker: Running) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(environment: dict[str, str]) -> AsyncIterator[Product]:
    built = build(read_settings(environment), "test")
    yield built
    await built.close()


@pytest.fixture
def cases_command(start_process: Callable[..., Running]) -> Callable[..., str]:
    """`loket cases ...` run to its end; its output."""

    def run(*arguments: str) -> str:
        running = start_process("cases", *arguments, "--officer", "petugas.uji")
        running.process.wait(30)
        return running.output()

    return run


async def delivered(citizen: Citizen) -> dict[str, Any]:
    return await until(citizen, (await hand_in(citizen))["id"], is_delivered)


async def test_every_step_once_until_the_licence_is_there(people: People, bench: HttpWorkbench, tables: Tables) -> None:
    citizen = await people.make()
    case = await delivered(citizen)
    seen = [case["status"]]
    for _ in range(25):
        if seen[-1] == "completed":
            break
        await bench.work(case["number"])
        await asyncio.sleep(0.3)
        seen.append((await citizen.get(case["links"]["self"])).json()["status"])
    shown = await until(citizen, case["id"], lambda shown: shown["status"] == "completed")
    order = ["submitted", "in_review", "approved", "completed"]
    assert [status for status in order if status in seen] == sorted(set(seen), key=order.index)
    assert seen == sorted(seen, key=order.index)
    steps = [event for event in shown["timeline"] if event["kind"] == "step"]
    assert len(steps) == len({event["data"]["label"] for event in steps})
    assert all(event["text"] == event["data"]["label"] for event in steps)
    assert [event["seq"] for event in shown["timeline"]] == list(range(1, len(shown["timeline"]) + 1))
    moves = [event["kind"] for event in shown["timeline"] if event["kind"] in order]
    assert moves == [status for status in order if status in moves]
    grown = len(shown["timeline"])
    await asyncio.sleep(POLL_S + 1)
    assert len((await citizen.get(case["links"]["self"])).json()["timeline"]) == grown
    assert await tables.value("SELECT next_refresh_at FROM cases WHERE id = $1", UUID(case["id"])) is None
    assert (await citizen.get(f"/v1/permits/{case['id']}/licence")).json()["state"] == "fresh"


async def test_refused_by_the_agency(people: People, bench: HttpWorkbench) -> None:
    citizen = await people.make()
    case = await delivered(citizen)
    await bench.work(case["number"], "reject")
    shown = await until(citizen, case["id"], lambda shown: shown["status"] == "rejected")
    assert shown["delivery"]["state"] == "delivered"
    assert shown["next_action"]["code"] == "rate"
    late = await citizen.post(case["links"]["withdraw"], {})
    assert (late.status_code, late.json()["code"]) == (409, "case_already_decided")


async def test_a_question_of_an_officer_stays_until_it_is_answered(
    people: People, bench: HttpWorkbench, tables: Tables, cases_command: Callable[..., str]
) -> None:
    citizen = await people.make()
    case = await delivered(citizen)
    await bench.work(case["number"])
    await until(citizen, case["id"], lambda shown: shown["status"] == "in_review")
    early = await citizen.post(f"{case['links']['self']}/answers", {"answer": "?"})
    assert (early.status_code, early.json()["code"]) == (409, "case_asks_nothing")
    said = cases_command("ask", case["number"], "Berapa tinggi tiangnya?")
    assert "waits for its citizen's answer" in said
    asked = await until(citizen, case["id"], lambda shown: shown["status"] == "needs_citizen")
    assert asked["question"] == "Berapa tinggi tiangnya?"
    assert asked["next_action"]["code"] == "answer"
    assert asked["timeline"][-1]["text"] == "Instansi bertanya: Berapa tinggi tiangnya?"
    # The agency's own system knows of no question and goes on saying "in review".
    await asyncio.sleep(POLL_S + 1.5)
    still = (await citizen.get(case["links"]["self"])).json()
    assert (still["status"], still["question"]) == ("needs_citizen", "Berapa tinggi tiangnya?")
    answer = await citizen.post(asked["links"]["answers"], {"answer": "Tiga meter."})
    assert (answer.status_code, answer.json()["status"], answer.json()["question"]) == (202, "in_review", None)
    again = await citizen.post(asked["links"]["answers"], {"answer": "Empat meter."})
    assert (again.status_code, again.json()["code"]) == (409, "case_asks_nothing")
    told: list[dict[str, Any]] = []
    for _ in range(60):
        told = await tables.rows(
            "SELECT state, reason FROM deliveries WHERE case_id = $1 AND operation = 'answer'", UUID(case["id"])
        )
        if told[0]["state"] == "needs_operator":
            break
        await asyncio.sleep(0.1)
    # SICANTIK takes no answers: an officer carries it over.
    assert told == [{"state": "needs_operator", "reason": "by_hand"}]
    audited = await tables.rows("SELECT actor_kind, action FROM audit_rows WHERE object_id = $1", case["id"])
    assert {"actor_kind": "officer", "action": "case.asked"} in audited


async def test_an_officer_cannot_ask_about_what_is_over_or_not_there(
    people: People, cases_command: Callable[..., str]
) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await citizen.post(case["links"]["withdraw"], {})
    assert "decided" in cases_command("ask", case["number"], "Halo?")
    assert "no such case" in cases_command("ask", "3571-26-0000000-0", "Halo?")
    assert (await citizen.get(case["links"]["self"])).json()["status"] == "withdrawn"


async def test_an_officers_look_is_written_down(
    people: People, tables: Tables, cases_command: Callable[..., str]
) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    shown = cases_command("show", case["number"])
    assert "Papan nama toko" in shown
    assert "case.read" in {
        row["action"] for row in await tables.rows("SELECT action FROM audit_rows WHERE object_id = $1", case["id"])
    }


async def test_a_case_that_cannot_be_asked_after_holds_up_no_other(
    people: People, bench: HttpWorkbench, tables: Tables
) -> None:
    one, other = await people.make(), await people.make()
    broken, sound = await delivered(one), await delivered(other)
    await tables.run("UPDATE cases SET form_enc = '\\x00' WHERE id = $1", UUID(broken["id"]))
    await asyncio.sleep(POLL_S + 1)
    await bench.work(sound["number"])
    await until(other, sound["id"], lambda shown: shown["status"] == "in_review", timeout_s=8)


async def test_rated_once_and_only_at_the_end(people: People, tables: Tables) -> None:
    citizen = await people.make()
    case = await delivered(citizen)
    rating = f"{case['links']['self']}/rating"
    early = await citizen.post(rating, {"score": 5})
    assert (early.status_code, early.json()["code"]) == (409, "case_not_ended")
    await tables.run("UPDATE cases SET status = 'completed' WHERE id = $1", UUID(case["id"]))
    first = await citizen.post(rating, {"score": 4, "comment": "Cepat"})
    second = await citizen.post(rating, {"score": 1})
    assert (first.status_code, first.json()["rating"]) == (200, 4)
    assert (second.status_code, second.json()["code"]) == (409, "case_already_rated")
    shown = (await citizen.get(case["links"]["self"])).json()
    assert (shown["rating"], shown["timeline"][-1]["text"]) == (4, "Anda menilai layanan ini 4 dari 5.")
    assert "rating" not in shown["links"]


STEPS = (Step("1", "Diterima", "done"), Step("2", "Diperiksa", "current"), Step("5", "Ditandatangani", "to_come"))


async def test_late_and_repeated_words_change_nothing(product: Product, people: People, tables: Tables) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    case_id = UUID(case["id"])

    async def told(progress: Progress) -> bool:
        async with product.database.begin() as connection:
            return await apply_progress(connection, case_id, progress, 900, product.cases.catalog.timezone)

    review = Progress("in_review", STEPS)
    issued = msgspec.structs.replace(review, status="approved", product={"licence_number": "503/1/2026"})
    assert await told(review)
    assert not await told(review)
    assert not await told(Progress("submitted", STEPS[:1]))
    assert await told(issued)
    assert not await told(review)
    assert await told(Progress("approved", (*STEPS, Step("7", "Dicetak", "current"))))
    product_kept = await tables.value("SELECT product::text FROM cases WHERE id = $1", case_id)
    assert msgspec.json.decode(product_kept) == {"licence_number": "503/1/2026"}
    assert await told(Progress("completed", STEPS))
    for status in ("in_review", "needs_citizen", "approved", "rejected", "submitted"):
        assert not await told(Progress(status, STEPS))
    shown = (await citizen.get(case["links"]["self"])).json()
    assert shown["status"] == "completed"
    assert [event["kind"] for event in shown["timeline"] if event["kind"] != "delivered"] == [
        "submitted",
        "step",
        "step",
        "in_review",
        "approved",
        "step",
        "completed",
    ]

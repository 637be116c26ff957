"""Every try stands on record: before the backend is asked, with what was said, and nobody recognisable in it."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.assembly import Product
from app.cases.attempts import opened
from app.cases.claims import Outcome, claim
from app.cases.delivery import GIVE_UP_AFTER, LONGEST_WAIT_S, patience_s
from app.cases.masking import Mask
from app.cases.port import Applicant, CaseData
from app.cases.settle import settle_case
from app.database import utc_now
from app.sandbox.client import HttpWorkbench
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

ATTEMPTS = """
SELECT number, tried.outcome, tried.unknown, calls, http_status, exchanges_enc,
    tried.finished_at >= tried.started_at AS ended
FROM delivery_attempts AS tried JOIN deliveries ON deliveries.id = delivery_id WHERE case_id = $1 ORDER BY number
"""


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("sicantik") as opened_bench:
        yield opened_bench


async def attempts(tables: Tables, case: dict[str, Any]) -> list[dict[str, Any]]:
    return await tables.rows(ATTEMPTS, UUID(case["id"]))


async def test_the_intent_stands_before_the_backend_is_asked(product: Product, people: People, tables: Tables) -> None:
    case = await hand_in(await people.make())
    delivery_id = await tables.value("SELECT id FROM deliveries WHERE case_id = $1", UUID(case["id"]))
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
        assert held is not None
        [begun] = await attempts(tables, case)
        assert (begun["number"], begun["outcome"], begun["ended"]) == (held.fence, None, None)
        await settle_case(connection, held, Outcome(state="queued", retry_in_s=999, attempt="unavailable"))
    [ended] = await attempts(tables, case)
    assert (ended["outcome"], ended["ended"], ended["calls"]) == ("unavailable", True, 0)


async def test_what_was_said_is_kept_sealed_and_masked(
    product: Product, people: People, bench: HttpWorkbench, worker: Running, tables: Tables
) -> None:
    citizen = await people.make(name="Kartika Wulandari")
    await bench.fault("lost_answer", ["register"])
    case = await hand_in(citizen)
    shown = await until(citizen, case["id"], is_delivered, timeout_s=60)
    await bench.heal()
    tried = await attempts(tables, case)
    assert [(each["outcome"], each["unknown"]) for each in tried[:2]] == [("unknown", False), ("delivered", True)]
    said = [exchange for each in tried for exchange in opened(each["exchanges_enc"], product.vault)]
    register = next(each for each in said if each.operation == "register")
    assert (register.outcome, register.status, register.answered) == ("unknown", None, "")
    assert f"no_refer={case['number']}" in register.sent
    assert "K****** W********" in register.sent
    # The agency's own number stays readable: by it an officer finds the matter over there.
    words = [each.path + each.sent + each.answered for each in said]
    assert any(shown["delivery"]["reference"] in each for each in words), words
    everything = "".join(f"{each.path} {each.sent} {each.answered}" for each in said)
    for private in ("Kartika", "WULANDARI", citizen.person.nik, citizen.person.phone[3:], "Dhoho"):
        assert private.casefold() not in everything.casefold()
    for each in tried:
        assert b"register" not in (each["exchanges_enc"] or b"")


async def test_asking_after_that_only_a_person_gets_past_comes_before_an_officer(
    product: Product, people: People, bench: HttpWorkbench, worker: Running, tables: Tables
) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    number = await tables.value("SELECT agency_reference FROM cases WHERE id = $1", UUID(case["id"]))
    unknown = f"99999{number[5:]}"
    await tables.run("UPDATE cases SET agency_reference = $2 WHERE id = $1", UUID(case["id"]), unknown)
    checked = await until(citizen, case["id"], lambda now: now["timeline"][-1]["kind"] == "being_checked", 30)
    assert checked["delivery"]["state"] == "delivered"
    follow = "SELECT state, reason, reference FROM deliveries WHERE case_id = $1 AND operation = 'follow'"
    assert await tables.rows(follow, UUID(case["id"])) == [
        {"state": "needs_operator", "reason": "reference_unknown", "reference": unknown}
    ]
    await tables.run(
        "UPDATE cases SET agency_reference = $2, next_refresh_at = now() WHERE id = $1", UUID(case["id"]), number
    )
    await bench.work(number)
    await until(citizen, case["id"], lambda now: now["status"] == "in_review", 30)
    assert [each["state"] for each in await tables.rows(follow, UUID(case["id"]))] == ["delivered"]
    kinds = [event["kind"] for event in (await citizen.get(f"/v1/cases/{case['id']}")).json()["timeline"]]
    assert kinds.count("being_checked") == 1


def test_the_mask_hides_people_and_leaves_the_matter() -> None:
    applicant = Applicant(uuid4(), "3571024505909001", "Siti Aminah", date(1990, 5, 5), "+6281290005001", 2)
    case = CaseData(uuid4(), "KDR-1", "x", {"family_birth_date": "2011-02-03"}, applicant, (), utc_now())
    mask = Mask(case, ["Sakit kepala berat", "Jalan Dhoho 1"], ["3571012345678901"])
    said = (
        '{"nama":"SITI  AMINAH","nik":3571024505909001,"hp":"081290005001","keluhan":"sakit KEPALA berat",'
        '"kartu":"0001234567890","lahir":"1990-05-05","anak":"03-02-2011","tanggal":"2026-11-23",'
        '"no":"3571012345678901","x-token":"abc.def","alamat":"JL Dhoho","step":"12","pesan":"Registrasi gagal"}'
    )
    hidden = mask.hide(said)
    for private in ("SITI", "AMINAH", "KEPALA", "berat", "Dhoho", "0001234567890", "1990-05-05", "03-02-2011", "abc"):
        assert private not in hidden
    assert applicant.nik not in hidden
    assert "81290005001" not in hidden
    for needed in ("3571012345678901", "2026-11-23", '"step":"12"', "Registrasi gagal", '"keluhan"'):
        assert needed in hidden


def test_waits_grow_with_what_was_waited_and_end_within_a_minute() -> None:
    """72 hours of an agency that refuses one delivery at the door: under five thousand calls, the first ones soon, and
    its return is seen within a minute even where nothing else waits for it."""
    waited, tries = 0.0, 0
    while waited < GIVE_UP_AFTER.total_seconds():
        step = patience_s(waited)
        assert 0.18 <= step <= LONGEST_WAIT_S * 1.25 <= 75
        assert step <= max(waited / 15, 0.32)
        waited, tries = waited + step, tries + 1
    assert tries < 5000

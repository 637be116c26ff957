"""A new user's way: an objection with a photo, the visit, the outcome with its reasons; and a certificate to show."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pypdf import PdfReader

from app.assembly import Product, build
from app.cases.due import due_on, today
from app.dashboards.queue.escalation import escalate
from app.sandbox.client import HttpWorkbench
from app.settings import read_settings
from services.social_aid import actions
from tests.harness.aid import BUDI, HENDRA, RAHMAT, certificate, hand_in, objection, proposal, send_photo, siti
from tests.harness.cases import is_delivered, new_key, until
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.photos import SECRET
from tests.harness.product import Api, Running, Sandboxes
from tests.harness.tables import Tables
from tests.harness.tickets import once_open

CHECK = "/v1/social-aid/certificates/check"


@pytest.fixture(scope="module")
async def bench(sandboxes: Sandboxes, worker: Running) -> AsyncIterator[HttpWorkbench]:
    async with sandboxes.bench("dtsen") as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(environment: dict[str, str]) -> AsyncIterator[Product]:
    built = build(read_settings(environment), "test")
    yield built
    await built.close()


@pytest.fixture(scope="module")
async def member(people: People, bench: HttpWorkbench) -> Citizen:
    return await siti(people)


async def matter(citizen: Citizen, case_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The matter once `holds` of it. Raises AssertionError with what is told instead."""
    told: dict[str, Any] = {}
    for _ in range(200):
        told = (await citizen.get(f"/v1/social-aid/matters/{case_id}")).json()
        if "visit" in told and holds(told):
            return told
        await asyncio.sleep(0.2)
    raise AssertionError(told)


async def test_an_objection_with_a_photo_is_visited_and_decided(
    member: Citizen, people: People, bench: HttpWorkbench, tables: Tables, officers: Officers
) -> None:
    seen = (await member.get("/v1/social-aid/entitlements")).json()
    photo = {"with_photos": "yes", "photo_front": await send_photo(member), "photo_consent": True}
    case = await hand_in(member, seen["services"]["objection"], objection(**photo))
    shown = await until(member, case["id"], is_delivered)
    assert shown["due_at"], "an objection has its clock"
    consents = await tables.rows("SELECT purpose FROM consents WHERE case_id::text = $1", case["id"])
    assert [row["purpose"] for row in consents] == ["social-aid-evidence"]

    await bench.work(case["number"], "visit")
    planned = (await matter(member, case["id"], lambda told: told["visit"] is not None))["visit"]
    assert (planned["state"], planned["planned_on"] is not None, planned["done_on"]) == ("planned", True, None)
    assert planned["by"]
    visitor, other = await officers.make("operator", "dinsos"), await officers.make("operator", "dinkes")
    assert (await visitor.get(f"/v1/officer/cases/{case['id']}")).status_code == 200
    assert (await other.get(f"/v1/officer/cases/{case['id']}")).status_code == 404
    file = await visitor.get(f"/v1/officer/cases/{case['id']}/attachments/{photo['photo_front']}")
    assert file.headers["content-type"] == "image/jpeg"
    assert SECRET.encode() not in file.content
    looks = (await member.get("/v1/me/access-log")).json()["items"]
    look = next(each for each in looks if each["actor"]["kind"] == "officer")
    assert (look["actor"]["agency"], look["case"]["number"]) == ("Dinas Sosial", case["number"])
    assert look["purpose_text"]
    assert look["legal_basis_text"]

    await bench.work(case["number"], "visited")
    done = (await matter(member, case["id"], lambda told: told["visit"]["state"] == "done"))["visit"]
    assert done["findings"]
    await bench.work(case["number"], "reject")
    decided = await matter(member, case["id"], lambda told: told["outcome"] is not None)
    assert decided["outcome"]["decision"] == "refused"
    assert decided["outcome"]["decided_by"] == "Dinas Sosial Kota Kediri"
    assert "bukan Satu Loket" in decided["notice"]

    ended = await until(member, case["id"], lambda shown: shown["status"] == "rejected")
    assert decided["outcome"]["reasons"] in {event["data"].get("reason") for event in ended["timeline"]}
    told = await tables.rows("SELECT key, params FROM messages WHERE case_id::text = $1", case["id"])
    assert {row["key"] for row in told} == {f"inbox.case_{what}.social_aid" for what in ("delivered", "rejected")}
    assert not [row for row in told if "reference" in row["params"]], "a message on a phone says nothing of the matter"

    for stranger in (await people.make(nik=BUDI, name="Budi Santoso"), await people.make(nik=HENDRA, name="Hendra")):
        answer = await stranger.get(f"/v1/social-aid/matters/{case['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "case_not_found")


async def test_an_objection_that_is_late_is_put_before_the_supervisors_and_told(
    member: Citizen, product: Product, tables: Tables
) -> None:
    """Ten working days, holidays left out; then it is nobody's to forget."""
    case = await hand_in(member, "aid-objection", objection())
    promised = due_on(today(product.catalog.timezone), 10)
    assert await tables.value("SELECT due_on FROM cases WHERE id::text = $1", case["id"]) == promised
    await tables.run("UPDATE cases SET due_on = current_date - 1 WHERE id::text = $1", case["id"])
    for _ in range(2):  # the worker looks as well: whoever does, it is once
        await escalate(product.cases)
    [raised] = await tables.rows(
        "SELECT stage, agency FROM case_escalations WHERE case_id::text = $1 AND stage = 'late'", case["id"]
    )
    assert raised["agency"] == "dinsos"
    shown = (await member.get(f"/v1/cases/{case['id']}")).json()
    assert "late" in {event["kind"] for event in shown["timeline"]}
    told = await tables.rows("SELECT key FROM messages WHERE case_id::text = $1", case["id"])
    assert "inbox.case_late.social_aid" in {row["key"] for row in told}


async def test_a_proposal_that_is_accepted_shows_the_household(people: People, bench: HttpWorkbench) -> None:
    outside = await people.make(nik=RAHMAT, name="Rahmat")
    assert (await outside.get("/v1/social-aid/entitlements")).json()["code"] == "aid_household_unknown"
    case = await hand_in(outside, "aid-household-proposal", proposal())
    await until(outside, case["id"], is_delivered)
    await bench.work(case["number"], "accept")
    ended = await until(outside, case["id"], lambda shown: shown["status"] == "completed")
    assert ended["next_action"]["code"] == "rate"


async def test_ten_at_once_with_one_key_are_one_matter(member: Citizen, bench: HttpWorkbench, people: People) -> None:
    asker, key = await people.make(nik="3571015203889034", name="Rina Kartika"), new_key()
    body = {"service": "aid-objection", "form": objection()}
    answers = await asyncio.gather(*(asker.post("/v1/cases", body, key=key) for _ in range(10)))
    taken = [answer.json() for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({each["id"] for each in taken}) == 1
    await until(asker, taken[0]["id"], is_delivered)
    effects = [each for each in await bench.ledger() if each.reference == taken[0]["number"]]
    assert len(effects) == 1


async def test_with_the_agency_down_an_objection_waits_and_is_handed_over_once(
    people: People, bench: HttpWorkbench
) -> None:
    asker = await people.make(nik="3571016510559035", name="Sumirah")
    await bench.fault("lost_answer", ["submit"])
    case = await hand_in(asker, "aid-objection", objection())
    refused = await asker.get(f"/v1/social-aid/matters/{case['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "aid_matter_not_there")
    await bench.heal()
    await until(asker, case["id"], is_delivered, timeout_s=60)
    assert len([each for each in await bench.ledger() if each.reference == case["number"]]) == 1


async def test_who_only_claims_an_identity_hands_nothing_in(people: People, bench: HttpWorkbench) -> None:
    claimed = await people.make(assurance_level=1)
    answer = await claimed.post("/v1/cases", {"service": "aid-objection", "form": objection()}, key=new_key())
    assert (answer.status_code, answer.json()["code"]) == (403, "assurance_level_too_low")


async def test_a_certificate_is_issued_shown_and_checked_by_who_has_its_code(
    member: Citizen, bench: HttpWorkbench, api: Api
) -> None:
    case = await hand_in(member, "decile-certificate", certificate())
    path = f"/v1/social-aid/matters/{case['id']}/certificate"
    await until(member, case["id"], is_delivered)
    early = await member.get(path)
    assert (early.status_code, early.json()["code"]) == (409, "certificate_not_issued")
    await bench.work(case["number"], "accept")
    await until(member, case["id"], lambda shown: shown["status"] == "completed")
    told = (await once_open(lambda: member.get(path))).json()
    assert (told["holder"], told["decile"], told["validity"], told["state"]) == ("Siti Aminah", 2, "valid", "fresh")
    paper = await member.client.get(path, headers={"Accept": "application/pdf"})
    [page] = PdfReader(io.BytesIO(paper.content)).pages
    assert told["number"] in page.extract_text()
    async with api.client(language="en") as anybody:
        checked = await anybody.get(told["check_url"])
        shown = await anybody.get(told["check_url"], headers={"Accept": "text/html"})
        guessed = await anybody.get(
            CHECK, params={"number": told["number"], "code": told["check_url"][-52:-20] + "0" * 20}
        )
        bare = await anybody.get(CHECK, params={"number": told["number"]})
    assert (checked.json()["genuine"], checked.json()["decile"], checked.json()["holder"]) == (True, 2, "S*** A*****")
    assert "<h1>Genuine and still valid</h1>" in shown.text
    assert "Aminah" not in checked.text + shown.text
    assert (guessed.json()["genuine"], guessed.json()["decile"]) == (False, None)
    assert bare.json()["code"] == "parameter_invalid"


async def test_with_its_consent_withdrawn_a_certificate_is_shown_to_nobody(
    member: Citizen, bench: HttpWorkbench, api: Api, tables: Tables
) -> None:
    path = await issued(member, bench)
    shown = (await once_open(lambda: member.get(path))).json()
    await tables.run("UPDATE consents SET withdrawn_at = now() WHERE case_id::text = $1", shown["case_id"])
    mine = await member.get(path)
    async with api.client() as anybody:
        checked = await anybody.get(shown["check_url"])
    assert (mine.status_code, mine.json()["code"]) == (403, "consent_missing")
    assert (checked.json()["genuine"], checked.json()["decile"]) == (False, None)


@pytest.mark.parametrize("mode", ["error_503", "malformed"])
async def test_with_the_agency_down_a_certificate_is_its_last_proof(
    member: Citizen, bench: HttpWorkbench, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(actions, "_PROOF_FRESH_S", 0.05)
    proven, unproven = [await issued(member, bench) for _ in range(2)]
    fresh = (await once_open(lambda: member.get(proven))).json()
    await bench.fault(mode)
    await asyncio.sleep(0.1)
    shown, refused = await member.get(proven), await member.get(unproven)
    await bench.heal()
    assert shown.json() == {**fresh, "state": "stale"}
    assert (refused.status_code, refused.json()["code"]) == (503, "agency_unavailable")


async def issued(citizen: Citizen, bench: HttpWorkbench) -> str:
    """Where a certificate is read that the agency issued."""
    case = await hand_in(citizen, "decile-certificate", certificate())
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    await bench.work(case["number"], "accept")
    await until(citizen, case["id"], lambda shown: shown["status"] == "completed")
    return f"/v1/social-aid/matters/{case['id']}/certificate"

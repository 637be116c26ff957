"""Membership: with consent only, from the insurer, on the audit record, and kept for a minute at most."""

import pytest

from tests.harness.people import Citizen, People
from tests.harness.product import Sandboxes
from tests.harness.tables import Tables

MEMBER, NOBODY = "3571024505909001", "3571010101759004"
CONSENT = {"purpose": "health-membership", "version": 1}


@pytest.fixture(scope="module")
async def member(people: People, sandboxes: Sandboxes) -> Citizen:
    """The demo's Siti, whom the insurer knows."""
    return await people.make(nik=MEMBER, name="Siti Aminah")


async def test_without_consent_nobody_is_asked(member: Citizen, sandboxes: Sandboxes, tables: Tables) -> None:
    answer = await member.get("/v1/health/membership")
    assert (answer.status_code, answer.json()["code"]) == (403, "consent_missing")
    asked = await tables.rows("SELECT 1 FROM audit_rows WHERE action = 'membership.read'")
    assert asked == []


async def test_as_the_insurer_tells_it_with_its_purpose_on_record(member: Citizen, tables: Tables) -> None:
    await member.post("/v1/me/consents", CONSENT)
    answer = await member.get("/v1/health/membership")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert (told["source"], told["active"]) == ("BPJS Kesehatan", True)
    assert told["card_number"].isdigit()
    assert told["facility_name"]
    [read] = await tables.rows(
        "SELECT subject_id, purpose, legal_basis FROM audit_rows WHERE action = 'membership.read'"
    )
    assert (read["subject_id"], read["purpose"], read["legal_basis"]) == (member.id, "health-membership", "consent")


async def test_what_was_told_just_now_is_shown_again_with_its_time_and_on_record(
    member: Citizen, sandboxes: Sandboxes, tables: Tables
) -> None:
    first = (await member.get("/v1/health/membership")).json()
    async with sandboxes.bench("bpjs_vclaim") as bench:
        await bench.fault("error_500")
        again = (await member.get("/v1/health/membership")).json()
        await bench.heal()
    assert (again["state"], again["as_of"], again["card_number"]) == ("fresh", first["as_of"], first["card_number"])
    looks = await tables.rows("SELECT 1 FROM audit_rows WHERE action = 'membership.read'")
    assert len(looks) == 3, "every look is on record, whoever answered it"


async def test_who_is_no_member_is_told_so(people: People, sandboxes: Sandboxes) -> None:
    stranger = await people.make(nik=NOBODY, name="Rahmat", language="en")
    await stranger.post("/v1/me/consents", CONSENT)
    answer = await stranger.get("/v1/health/membership")
    assert (answer.status_code, answer.json()["code"]) == (404, "membership_not_found")
    assert NOBODY not in answer.text


@pytest.mark.parametrize("mode", ["error_500", "hang", "malformed", "huge_body"])
async def test_an_insurer_that_cannot_answer_is_said_in_time(people: People, sandboxes: Sandboxes, mode: str) -> None:
    somebody = await people.make()
    await somebody.post("/v1/me/consents", CONSENT)
    async with sandboxes.bench("bpjs_vclaim") as bench:
        await bench.fault(mode)
        answer = await somebody.get("/v1/health/membership")
        await bench.heal()
    assert (answer.status_code, answer.json()["code"]) == (503, "agency_unavailable")
    assert answer.elapsed.total_seconds() < 6


async def test_with_consent_withdrawn_nobody_is_asked(member: Citizen) -> None:
    await member.client.delete("/v1/me/consents/health-membership")
    assert (await member.get("/v1/health/membership")).json()["code"] == "consent_missing"

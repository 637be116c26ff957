"""A withdrawn consent: what rests on it and has not left is not sent, what was told is forgotten, nothing more is read;
and what was agreed to can be shown as it was, also when the words have changed."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from app.catalog.catalog import Catalog
from app.consents.wordings import keep_wordings
from app.database import Database
from app.manifest import ManifestError
from app.settings import read_settings
from app.texts import Text
from tests.harness.aid import BUDI, certificate, siti
from tests.harness.cases import new_key, until
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

BACKEND = "/v1/officer/backends/dtsen"
WHY = {"reason": "Server instansi dipindahkan malam ini."}
CERTIFICATE, MEMBERSHIP = "social-aid-certificate", {"purpose": "health-membership", "version": 1}


async def asked_for(citizen: Citizen) -> dict[str, Any]:
    answer = await citizen.post("/v1/cases", {"service": "decile-certificate", "form": certificate()}, new_key())
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_queued_delivery_under_a_withdrawn_consent_is_not_sent(
    people: People, officers: Officers, sandboxes: Sandboxes, worker: Running, tables: Tables
) -> None:
    """A worker runs, the agency is paused, the consent is withdrawn, the agency is back: nothing of it arrives."""
    officer = await officers.make("supervisor", "dinsos")
    assert (await officer.post(f"{BACKEND}/pause", WHY)).status_code == 200
    withdraws, keeps = await people.make(nik=BUDI), await siti(people)
    case, control = await asked_for(withdraws), await asked_for(keeps)
    gone = await withdraws.client.delete(f"/v1/me/consents/{CERTIFICATE}")
    assert gone.status_code == 204, gone.text
    shown = (await withdraws.get(f"/v1/cases/{case['id']}")).json()
    assert shown["status"] == "withdrawn"
    assert (await officer.post(f"{BACKEND}/resume", WHY)).status_code == 200
    # The agency's answer does not matter here: it was asked.
    await until(keeps, control["id"], lambda now: now["delivery"]["state"] in ("delivered", "rejected"), timeout_s=60)
    tries = "SELECT count(*) FROM delivery_attempts JOIN deliveries ON id = delivery_id WHERE case_id::text = $1"
    assert [await tables.value(tries, each["id"]) for each in (control, case)] == [1, 0]
    async with sandboxes.bench("dtsen") as bench:
        told = json.dumps([msgspec.to_builtins(effect) for effect in await bench.ledger()])
    assert case["number"] not in told
    sent = "SELECT count(*) FROM audit_rows WHERE action = 'case.sent' AND object_id = $1"
    assert await tables.value(sent, case["id"]) == 0
    [row] = await tables.rows(
        "SELECT legal_basis, fields::text FROM audit_rows WHERE action = 'case.sent' AND object_id = $1", control["id"]
    )
    assert row["legal_basis"] == "consent"
    assert json.loads(row["fields"]) == ["nik", "name", "phone", "form"]


async def test_what_was_told_under_it_is_forgotten_and_nothing_more_is_read(
    people: People, sandboxes: Sandboxes
) -> None:
    citizen = await people.make(nik="3571036011009003")
    await citizen.post("/v1/me/consents", MEMBERSHIP)
    assert (await citizen.get("/v1/health/membership")).status_code in (200, 404)
    other = await people.make(nik="3571024505909777")
    await other.post("/v1/me/consents", MEMBERSHIP)
    assert (await citizen.client.delete("/v1/me/consents/health-membership")).status_code == 204
    refused = await citizen.get("/v1/health/membership")
    assert (refused.status_code, refused.json()["code"]) == (403, "consent_missing")
    await citizen.post("/v1/me/consents", MEMBERSHIP)
    async with sandboxes.bench("bpjs_vclaim") as bench:
        await bench.fault("error_503")
        try:
            # What was told a moment ago would be shown here, were it still known.
            anew = await citizen.get("/v1/health/membership")
        finally:
            await bench.heal()
    assert (anew.status_code, anew.json()["code"]) == (503, "agency_unavailable")


async def test_what_rests_on_law_says_so_and_what_rests_on_consent_too(people: People) -> None:
    for language, words in (("id", "UU 25/2009"), ("en", "Law 25/2009")):
        citizen = await people.make(language=language)
        flows = {each["purpose"]: each for each in (await citizen.get("/v1/me/consents")).json()["flows"]}
        permit, certified = flows["permit-case"], flows[CERTIFICATE]
        assert permit["basis"] == "law"
        assert words in permit["basis_words"]
        assert "SICANTIK" in permit["receivers"][0]
        assert certified["basis"] == "consent"
        assert certified["sends"] == ["nik", "name", "phone", "form"]
        assert all(word and not word.startswith("audit.") for each in flows.values() for word in each["sends_words"])


async def test_the_proof_has_the_exact_words_and_stays_when_they_change(people: People, tables: Tables) -> None:
    citizen = await people.make()
    given = (await citizen.post("/v1/me/consents", MEMBERSHIP)).json()
    path = f"/v1/me/consents/{given['id']}/proof"
    proof = (await citizen.get(path)).json()
    words = msgspec.json.encode(("health-membership", 1, proof["words_id"], proof["words_en"]))
    assert proof["digest"] == hashlib.sha256(words).hexdigest()
    session = "SELECT id::text FROM sessions WHERE citizen_id = $1"
    assert proof["session_id"] == await tables.value(session, citizen.id)
    await tables.run(
        "INSERT INTO consent_wordings (purpose, version, words_id, words_en, digest) "
        "VALUES ('health-membership', 2, 'Lain', 'Other', '\\x00')"
    )
    await citizen.client.delete("/v1/me/consents/health-membership")
    after = (await citizen.get(path)).json()
    assert {**after, "withdrawn_at": None} == {**proof, "withdrawn_at": None}
    assert after["withdrawn_at"] is not None
    [kept] = (await citizen.get("/v1/me/consents")).json()["items"]
    assert kept["text"] == proof["words_id"]
    stranger = await people.make()
    assert (await stranger.get(path)).status_code == 404


async def test_words_do_not_change_under_their_version(people: People, environment: dict[str, str]) -> None:
    catalog = Catalog.load("kediri")
    wording = catalog.consents["health-ticket"]
    changed = msgspec.structs.replace(wording, text=Text("Saya setuju semuanya.", "I agree to everything."))
    catalog.consents = {**catalog.consents, "health-ticket": changed}
    database = Database(read_settings(environment).database_url, pool_size=1, name="test")
    try:
        async with database.begin() as connection:
            with pytest.raises(ManifestError, match="health-ticket"):
                await keep_wordings(connection, catalog)
    finally:
        await database.close()

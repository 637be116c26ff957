"""A restriction: nothing leaves for agencies and nothing is asked of them, until it is lifted."""

import asyncio

from tests.harness.cases import hand_in, is_delivered, new_key, until
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.rights import PATIENCE_S, ask
from tests.harness.tables import Tables


async def test_nothing_leaves_while_it_stands_and_goes_once_it_is_lifted(
    people: People, officers: Officers, sandboxes: Sandboxes, worker: Running, tables: Tables
) -> None:
    officer = await officers.make("supervisor", "dpmptsp")
    why = {"reason": "Server instansi dipindahkan malam ini."}
    assert (await officer.post("/v1/officer/backends/sicantik/pause", why)).status_code == 200
    citizen, control = await people.make(), await people.make()
    held, free = await hand_in(citizen), await hand_in(control)
    shown = await ask(citizen, "restriction")
    assert (shown["state"], shown["ended_at"] is None) == ("done", False)
    assert (await officer.post("/v1/officer/backends/sicantik/resume", why)).status_code == 200
    await until(control, free["id"], is_delivered, timeout_s=PATIENCE_S)
    sent = "SELECT count(*) FROM audit_rows WHERE action = 'case.sent' AND object_id = $1"
    tried = "SELECT count(*) FROM pgqueuer JOIN deliveries ON dedupe_key = deliveries.id::text "
    tried += "WHERE case_id::text = $1 AND pgqueuer.attempts > 0 AND execute_after > now() + interval '10 seconds'"
    async with asyncio.timeout(PATIENCE_S):
        while not await tables.value(tried, held["id"]):  # noqa: ASYNC110 -- a worker's work
            await asyncio.sleep(0.1)
    assert await tables.value(sent, held["id"]) == 0
    assert (await citizen.get(f"/v1/cases/{held['id']}")).json()["delivery"]["state"] == "queued"
    admin = await officers.make("city_admin")
    listed = (await admin.get("/v1/officer/data-requests")).json()["items"]
    assert [(each["kind"], each["state"]) for each in listed if each["citizen_id"] == str(citizen.id)] == [
        ("restriction", "done")
    ]
    assert (await citizen.client.delete("/v1/me/data/restriction")).status_code == 204
    await until(citizen, held["id"], is_delivered, timeout_s=PATIENCE_S)
    assert (await citizen.client.delete("/v1/me/data/restriction")).status_code == 404


async def test_nothing_is_asked_of_agencies_and_nothing_new_is_taken(people: People) -> None:
    citizen = await people.make()
    await citizen.post("/v1/me/consents", {"purpose": "health-membership", "version": 1})
    await ask(citizen, "restriction")
    again = await citizen.client.post("/v1/me/data/restriction", headers={"Idempotency-Key": new_key()})
    assert (again.status_code, again.json()["code"]) == (409, "data_request_open")
    form = {"purpose": "school_admission", "for_name": "Rizky", "certificate_consent": True}
    refused = [
        await citizen.post("/v1/cases", {"service": "decile-certificate", "form": form}, new_key()),
        await citizen.get("/v1/health/membership"),
        await citizen.get("/v1/social-aid/entitlements"),
    ]
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(403, "processing_restricted")}
    assert (await citizen.get("/v1/cases")).json()["items"] == []
    assert (await citizen.get("/v1/me")).status_code == 200

"""A correction: the register's word counts, and who has the old data is shown until they have corrected it too."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.harness.aid import SITI
from tests.harness.cases import hand_in, is_delivered, new_key, until
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Running, Sandboxes
from tests.harness.rights import PATIENCE_S, ask, ended
from tests.harness.tables import Tables

BORN = {"field": "birth_date", "value": "1990-05-05"}


@pytest.fixture(scope="module")
async def mistaken(people: People, worker: Running) -> Citizen:
    """The demo's Siti, who has another birth date here than the register, and a case at an agency that was told so."""
    citizen = await people.make(nik=SITI, name="Siti Aminah")
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    return citizen


async def test_what_the_register_confirms_stands_here_and_is_pending_where_it_was_told(
    mistaken: Citizen, officers: Officers, tables: Tables
) -> None:
    request = await ask(mistaken, "correction", BORN)
    spread = await ended(mistaken, request, "waiting", "done")
    for _ in range(100):
        if [place["system"] for place in spread["places"]] == ["sicantik"]:
            break
        spread = await ended(mistaken, request, "waiting")
    [place] = spread["places"]
    assert (place["agency"], place["system"], place["state"]) == ("dpmptsp", "sicantik", "pending")
    assert datetime.now(UTC) - datetime.fromisoformat(place["since"]) < timedelta(minutes=5)
    assert (await mistaken.get("/v1/me")).json()["birth_date"] == BORN["value"]
    admin = await officers.make("city_admin")
    noted = await admin.post(
        f"/v1/officer/data-requests/{request['id']}/places", {"system": "sicantik", "state": "corrected"}
    )
    assert noted.json()["state"] == "done"
    done = await ended(mistaken, request)
    assert [each["state"] for each in done["places"]] == ["corrected"]
    actions = await tables.rows("SELECT action FROM audit_rows WHERE subject_id = $1", mistaken.id)
    assert {"action": "data.corrected"} in actions


async def test_what_the_register_does_not_know_is_not_written_by_wish(mistaken: Citizen) -> None:
    request = await ask(mistaken, "correction", {"field": "name", "value": "Ratu Siti Aminah"})
    refused = await ended(mistaken, request, "refused")
    assert refused["code"] == "register_differs"
    assert refused["detail"]
    assert (await mistaken.get("/v1/me")).json()["name"] == "Siti Aminah"


async def test_while_the_register_is_away_it_waits_and_says_for_whom(
    people: People, sandboxes: Sandboxes, worker: Running
) -> None:
    citizen = await people.make(nik="3571011705905123")
    async with sandboxes.bench("dukcapil") as register:
        await register.fault("error_503")
        try:
            request = await ask(citizen, "correction", {"field": "name", "value": "Nama Benar"})
            waiting = await ended(citizen, request, "waiting")
        finally:
            await register.heal()
    assert [(each["system"], each["state"]) for each in waiting["places"]] == [("dukcapil", "pending")]
    assert (await citizen.client.delete(f"/v1/me/data/requests/{request['id']}")).status_code == 204
    assert (await ended(citizen, request, "cancelled"))["places"][0]["state"] == "pending"


async def test_a_phone_is_corrected_once_its_code_came_back(people: People, tables: Tables, worker: Running) -> None:
    citizen = await people.make()
    request = await ask(citizen, "correction", {"field": "phone", "value": "0812 9876 5432"})
    assert (await citizen.get("/v1/me/phone-change")).json()["state"] == "asked"
    assert (await citizen.get(f"/v1/me/data/requests/{request['id']}")).json()["state"] == "received"
    stopped = await citizen.client.delete("/v1/me/phone-change")
    assert stopped.status_code == 204
    await tables.run("UPDATE pgqueuer SET execute_after = now() WHERE dedupe_key = $1", f"rights.{request['id']}")
    cancelled = await ended(citizen, request, "cancelled")
    assert cancelled["code"] == "phone_not_confirmed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"field": "name", "value": "123"}, "name_invalid"),
        ({"field": "birth_date", "value": "besok"}, "date_invalid"),
        ({"field": "birth_date", "value": "1970-01-01"}, "birth_date_not_of_nik"),
        ({"field": "phone", "value": "021"}, "phone_invalid"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(people: People, body: dict[str, str], code: str) -> None:
    citizen = await people.make()
    answer = await citizen.post("/v1/me/data/correction", body, new_key())
    assert (answer.status_code, [each["code"] for each in answer.json()["errors"]]) == (422, [code])
    assert (await citizen.get("/v1/me/data/requests")).json()["items"] == []

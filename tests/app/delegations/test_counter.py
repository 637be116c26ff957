"""At a counter: four eyes, the population register's word, a day; and children, who need no account."""

import pytest

from app.login.guards import ACTING_FOR
from tests.harness.acting import PERMIT, TICKET
from tests.harness.cases import new_key
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Sandboxes

PATH = "/v1/officer/delegations"
# The pretended register knows him; he has no account here.
EKO = {"nik": "3571011204889021", "name": "Eko Prasetyo", "birth_date": "1988-04-12"}
BIMA = {"nik": "3571010106189023", "name": "Bima Prasetyo", "birth_date": "2018-06-01"}
STRANGER = {"nik": "3571020106909997", "name": "Bukan Siapa-siapa", "birth_date": "1990-06-01"}


@pytest.mark.usefixtures("sandboxes")
async def test_a_clerk_acts_for_who_stands_there_once_another_has_seen_the_papers(
    officers: Officers, sandboxes: Sandboxes
) -> None:
    clerk, other = await officers.make("operator", "dpmptsp"), await officers.make("supervisor", "dpmptsp")
    elsewhere = await officers.make("operator", "dinkes")
    asked = await clerk.post(PATH, {**EKO, "services": [PERMIT]})
    assert asked.status_code == 201, asked.text
    delegation = asked.json()["id"]
    acting = {ACTING_FOR: delegation}
    assert (await clerk.client.get("/v1/cases", headers=acting)).status_code == 403
    assert "Eko" not in (await other.get(PATH)).text
    for nobody in (clerk, elsewhere):
        assert (await nobody.post(f"{PATH}/{delegation}/confirm")).status_code == 404
    confirmed = await other.post(f"{PATH}/{delegation}/confirm")
    assert confirmed.status_code == 204, confirmed.text
    body = {"service": PERMIT, "form": {}, "draft": True}
    made = await clerk.client.post("/v1/cases", json=body, headers={**acting, "Idempotency-Key": new_key()})
    assert made.status_code == 201, made.text
    listed = await clerk.client.get("/v1/cases", headers=acting)
    assert [case["id"] for case in listed.json()["items"]] == [made.json()["id"]]
    assert (await other.client.get("/v1/cases", headers=acting)).status_code == 403
    assert (await clerk.client.get("/v1/cases")).status_code == 401


@pytest.mark.usefixtures("sandboxes")
async def test_whom_the_register_does_not_know_nobody_acts_for(officers: Officers) -> None:
    clerk, other = await officers.make("operator", "dpmptsp"), await officers.make("operator", "dpmptsp")
    delegation = (await clerk.post(PATH, {**STRANGER, "services": [PERMIT]})).json()["id"]
    refused = await other.post(f"{PATH}/{delegation}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "person_not_matched")


async def test_a_clerk_asks_for_their_own_agencys_services_alone(officers: Officers) -> None:
    clerk = await officers.make("operator", "dpmptsp")
    assert (await clerk.post(PATH, {**EKO, "services": [TICKET]})).status_code == 422


@pytest.mark.usefixtures("sandboxes")
async def test_a_child_is_confirmed_at_the_counter_and_who_is_grown_up_is_none(
    officers: Officers, people: People
) -> None:
    parent, clerk = await people.make(), await officers.make("operator", "dinkes")
    child = {"services": [TICKET], "days": 365, "agency": "dinkes"}
    for person, code in ((EKO, "person_not_a_child"), ({**STRANGER, "birth_date": "2020-06-01"}, "person_not_matched")):
        asked = await parent.post("/v1/me/delegations/child", {**person, **child}, new_key())
        assert asked.status_code == 201, asked.text
        refused = await clerk.post(f"{PATH}/{asked.json()['id']}/confirm")
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert {each["state"] for each in (await parent.get("/v1/me/delegations")).json()["items"]} == {"asked"}


@pytest.mark.usefixtures("sandboxes")
async def test_a_parent_acts_for_a_child_who_has_no_account(officers: Officers, people: People) -> None:
    parent, clerk = await people.make(), await officers.make("operator", "dinkes")
    body = {**BIMA, "services": [PERMIT], "days": 365, "agency": "dinkes"}
    delegation = (await parent.post("/v1/me/delegations/child", body, new_key())).json()["id"]
    confirmed = await clerk.post(f"{PATH}/{delegation}/confirm")
    assert confirmed.status_code == 204, confirmed.text
    draft = {"service": PERMIT, "form": {}, "draft": True}
    headers = {ACTING_FOR: delegation, "Idempotency-Key": new_key()}
    assert (await parent.client.post("/v1/cases", json=draft, headers=headers)).status_code == 201
    assert (await parent.get("/v1/cases")).json()["items"] == []
    [standing] = (await parent.get("/v1/me/delegations")).json()["items"]
    assert (standing["state"], standing["other"]) == ("active", "Bima Prasetyo")
    assert (await parent.client.delete(f"/v1/me/delegations/{delegation}")).status_code == 204
    assert (await parent.client.post("/v1/cases", json=draft, headers=headers)).status_code == 403

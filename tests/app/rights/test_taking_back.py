"""A deletion waits for a day: its citizen can take it back, and two officers together can refuse it."""

from collections.abc import Callable

import pytest

from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Running
from tests.harness.rights import ask
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_DELETION_WAIT_H"] = "24"
    return environment


async def test_a_deletion_can_be_taken_back_until_it_is_carried_out(people: People) -> None:
    citizen = await people.make()
    request = await ask(citizen, "deletion")
    assert (await citizen.get("/v1/me/data/requests")).json()["restricted"]
    gone = await citizen.client.delete(f"/v1/me/data/requests/{request['id']}")
    assert gone.status_code == 204, gone.text
    assert not (await citizen.get("/v1/me/data/requests")).json()["restricted"]
    again = await citizen.client.delete(f"/v1/me/data/requests/{request['id']}")
    assert (again.status_code, again.json()["code"]) == (409, "data_request_ended")
    assert (await citizen.get("/v1/me")).status_code == 200


async def test_two_officers_refuse_a_deletion(people: People, officers: Officers) -> None:
    citizen = await people.make()
    request = await ask(citizen, "deletion")
    one, other = [await officers.make("city_admin") for _ in range(2)]
    listed = (await one.get("/v1/officer/data-requests")).json()["items"]
    assert request["id"] in {each["id"] for each in listed}
    assert citizen.person.name not in str(listed)
    path, body = f"/v1/officer/data-requests/{request['id']}/refusal", {"reason": "Ada sengketa yang masih berjalan."}
    assert (await one.post(path, body)).json()["refusal"] is True
    alone = await one.post(path, body)
    assert (alone.status_code, alone.json()["code"]) == (403, "four_eyes")
    assert (await citizen.get(f"/v1/me/data/requests/{request['id']}")).json()["state"] == "received"
    assert (await other.post(path, body)).json()["state"] == "refused"
    shown = (await citizen.get(f"/v1/me/data/requests/{request['id']}")).json()
    assert (shown["state"], shown["detail"]) == ("refused", body["reason"])
    assert not (await citizen.get("/v1/me/data/requests")).json()["restricted"]


async def test_the_terminal_lists_what_is_overdue(
    people: People, tables: Tables, start_process: Callable[..., Running]
) -> None:
    late, early = await people.make(), await people.make()
    requests = [await ask(each, "deletion") for each in (late, early)]
    await tables.run("UPDATE data_requests SET due_at = now() - interval '1 hour' WHERE citizen_id = $1", late.id)
    listed = start_process("data-requests", "--overdue")
    assert listed.process.wait(60) == 0, listed.output()
    [line] = listed.output().splitlines()
    assert line.startswith(requests[0]["id"])
    assert line.endswith("OVERDUE")

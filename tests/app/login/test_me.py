"""One's own account: profile, language, devices; and the end of a session."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from app.login.profiles import FRESH_S
from tests.app.login.journey import Journey, assert_problem, somebody


async def test_profile_masks_what_a_thief_of_the_phone_could_use(journey: Journey) -> None:
    person = somebody()
    answer = await journey.me((await journey.register(person))["access_token"])
    assert answer.headers["cache-control"] == "no-store"
    me = answer.json()
    assert person.nik not in answer.text
    assert person.phone[3:] not in answer.text
    assert me["birth_date"] == "1990-05-05"
    assert me["phone"] == f"+62{'*' * (len(person.phone) - 6)}{person.phone[-3:]}"
    assert (me["language"], me["assurance_level"]) == ("id", 1)


async def test_each_sees_themselves(journey: Journey) -> None:
    people = [somebody("Ani"), somebody("Beni"), somebody("Cici")]
    tokens = [(await journey.register(person))["access_token"] for person in people]
    for _ in range(2):
        names = [(await journey.me(token)).json()["name"] for token in tokens]
        assert names == ["Ani", "Beni", "Cici"]


async def test_language_is_changed_and_read_at_once(journey: Journey) -> None:
    person = somebody()
    token = (await journey.register(person))["access_token"]
    async with journey.api.client(token=token) as client:
        for language in ("en", "id", "en"):
            changed = await client.patch("/v1/me", json={"language": language})
            assert changed.status_code == 200
            assert changed.json()["language"] == language
            assert (await client.get("/v1/me")).json()["language"] == language
        assert (await client.patch("/v1/me", json={})).json()["language"] == "en"
    await journey.log_in(person)
    assert (await journey.notes(person.phone))[0].startswith("Your Satu Loket login code")


@pytest.mark.parametrize(
    "body",
    [{"language": "jv"}, {"language": None}, {"name": "Raja"}, {"assurance_level": 3}, {"nik": "1"}, [], "x"],
)
async def test_nothing_else_is_changed(journey: Journey, body: object) -> None:
    token = (await journey.register(somebody()))["access_token"]
    async with journey.api.client(token=token) as client:
        before = (await client.get("/v1/me")).json()
        assert_problem(await client.patch("/v1/me", json=body), 422, "validation_failed")
        assert (await client.get("/v1/me")).json() == before


async def test_logged_out_here_and_nowhere_else(journey: Journey) -> None:
    person = somebody()
    first = await journey.register(person)
    second = await journey.log_in(person)
    async with journey.api.client(token=first["access_token"]) as client:
        assert (await client.post("/v1/login/logout")).status_code == 204
        assert_problem(await client.get("/v1/me"), 401, "session_revoked")
        assert_problem(await journey.refresh(client, first["refresh_token"]), 401, "session_revoked")
    assert (await journey.me(second["access_token"])).status_code == 200


async def test_devices_in_pages(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    tokens = [await journey.log_in(person, device_name=device) for device in ("satu", "dua", "tiga")]
    async with journey.api.client(token=tokens[-1]["access_token"]) as client:
        seen, cursor = [], None
        for _ in range(4):
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/me/sessions", params=query)).json()
            seen += [device["device_name"] for device in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert seen == ["tiga", "dua", "satu", ""]


async def test_one_device_is_ended(journey: Journey) -> None:
    person = somebody()
    stolen = await journey.register(person)
    mine = await journey.log_in(person)
    async with journey.api.client(token=mine["access_token"]) as client:
        devices = (await client.get("/v1/me/sessions")).json()["items"]
        target = next(device["id"] for device in devices if not device["current"])
        assert (await client.delete(f"/v1/me/sessions/{target}")).status_code == 204
        assert_problem(await client.delete(f"/v1/me/sessions/{target}"), 404, "not_found")
        assert len((await client.get("/v1/me/sessions")).json()["items"]) == 1
    assert_problem(await journey.me(stolen["access_token"]), 401, "session_revoked")


async def test_device_of_another_is_not_found_and_lives_on(journey: Journey) -> None:
    victim, attacker = await journey.register(somebody()), await journey.register(somebody())
    async with journey.api.client(token=victim["access_token"]) as client:
        theirs = (await client.get("/v1/me/sessions")).json()["items"][0]["id"]
    async with journey.api.client(token=attacker["access_token"]) as client:
        for session_id in (theirs, str(uuid4())):
            assert_problem(await client.delete(f"/v1/me/sessions/{session_id}"), 404, "not_found")
    assert (await journey.me(victim["access_token"])).status_code == 200


async def test_all_devices_are_ended(journey: Journey) -> None:
    person = somebody()
    tokens = [await journey.register(person), await journey.log_in(person)]
    bystander = await journey.register(somebody())
    async with journey.api.client(token=tokens[1]["access_token"]) as client:
        assert (await client.delete("/v1/me/sessions")).status_code == 204
    for each in tokens:
        assert_problem(await journey.me(each["access_token"]), 401, "session_revoked")
    assert (await journey.me(bystander["access_token"])).status_code == 200


async def test_account_that_is_gone(journey: Journey) -> None:
    token = (await journey.register(somebody()))["access_token"]
    async with journey.database.transaction() as session:
        await session.execute(
            text("delete from citizens where id = (select id from citizens order by id desc limit 1)")
        )
    assert_problem(await journey.me(token), 401, "token_invalid")
    assert FRESH_S <= 5, "a copy may not outlive the bound for a revocation"

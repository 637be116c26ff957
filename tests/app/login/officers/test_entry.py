"""Officers log in by the API: two proofs, each code once, five tries a login, and a lock that strangers cannot use."""

import asyncio
from collections import Counter

import httpx
import pytest

from tests.harness.officer_login import answer, challenge, code
from tests.harness.officers import Officers
from tests.harness.product import Api
from tests.harness.tables import Tables


async def _asked(client: httpx.AsyncClient, name: str, password: str = "Loket-Demo-2026") -> str:
    return str((await challenge(client, name, password)).json()["challenge_id"])


async def test_in_renewed_and_out(api: Api, officers: Officers) -> None:
    officer = await officers.make("agency_head", "dinkes")
    async with api.client() as client:
        opened = await answer(client, await _asked(client, officer.name), code())
    assert opened.status_code == 201
    assert (opened.json()["token_type"], opened.json()["expires_in"]) == ("Bearer", 1800)
    async with api.client(opened.json()["access_token"]) as client:
        renewed = await client.post("/v1/officer/renew")
        assert renewed.status_code == 200
        devices = (await client.get("/v1/officer/sessions")).json()["items"]
        assert [device["current"] for device in devices] == [True, False]
        assert (await client.delete(f"/v1/officer/sessions/{devices[1]['id']}")).status_code == 204
        assert (await client.post("/v1/officer/logout")).status_code == 204
        assert (await client.post("/v1/officer/renew")).json()["code"] == "session_revoked"
    async with api.client(renewed.json()["access_token"]) as client:
        assert (await client.get("/v1/officer/me")).json()["code"] == "session_revoked"


async def test_a_code_works_once(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    async with api.client() as client:
        challenges = [await _asked(client, officer.name) for _ in range(8)]
        given = code()
        answers = await asyncio.gather(*(answer(client, each, given) for each in challenges))
        assert sorted(each.status_code for each in answers) == [201] + [422] * 7
        # Nor an older one, once a newer was used.
        assert (await answer(client, await _asked(client, officer.name), code(-1))).json()["code"] == "code_wrong"


async def test_five_tries_and_no_more(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    async with api.client() as client:
        one = await _asked(client, officer.name)
        answers = await asyncio.gather(*(answer(client, one, f"{number:06}") for number in range(60)))
        assert Counter(each.json()["code"] for each in answers) == {"code_wrong": 5, "code_exhausted": 55}
        assert (await answer(client, one, code())).json()["code"] == "code_exhausted"
    async with Tables(api.settings.database_url) as tables:
        assert await tables.value("SELECT failed_codes FROM officers WHERE id = $1", officer.id) == 5


async def test_who_knows_the_password_but_not_the_codes_is_shut_out(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    async with api.client() as client:
        challenges = [await _asked(client, officer.name) for _ in range(2)]
        last = [await answer(client, one, "000000") for one in challenges for _ in range(5)][-1]
        assert (last.status_code, last.json()["code"]) == (429, "officer_locked")
        assert "15 menit" in last.json()["detail"]
        shut = await answer(client, await _asked(client, officer.name), code())
        assert (shut.status_code, shut.headers["retry-after"]) == (429, "900")
        async with Tables(api.settings.database_url) as tables:
            await tables.run("UPDATE officers SET locked_until = now() WHERE id = $1", officer.id)
            assert (await answer(client, await _asked(client, officer.name), code())).status_code == 201
            actions = await tables.rows(
                "SELECT action FROM audit_rows WHERE object_id = $1 ORDER BY id", str(officer.id)
            )
    assert [row["action"] for row in actions] == ["officer.code_refused"] * 10 + ["officer.locked", "officer.logged_in"]


async def test_unknown_wrong_and_disabled_look_alike(api: Api, officers: Officers) -> None:
    officer, gone = await officers.make(), await officers.make()
    async with Tables(api.settings.database_url) as tables:
        await tables.run("UPDATE officers SET state = 'disabled' WHERE id = $1", gone.id)
    shown = {"challenge_id", "methods", "passkey", "expires_at"}
    async with api.client() as client:
        for name, password in (("nobody", "x"), (officer.name, "wrong"), (gone.name, "Loket-Demo-2026")):
            asked = await challenge(client, name, password)
            assert (asked.status_code, set(asked.json())) == (200, shown)
            refused = await answer(client, asked.json()["challenge_id"], code())
            assert (refused.status_code, refused.json()["code"]) == (422, "code_wrong")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a", "password": "b", "role": "city_admin"}, 422),
        ({"name": "a" * 61, "password": "b"}, 422),
        ({"name": "a"}, 422),
        ([], 422),
    ],
)
async def test_refuses_what_it_did_not_ask_for(api: Api, body: object, status: int) -> None:
    async with api.client() as client:
        assert (await client.post("/v1/officer/login", json=body)).status_code == status


async def test_a_code_of_another_step_is_no_code(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    async with api.client() as client:
        for steps in (-3, 3):
            refused = await answer(client, await _asked(client, officer.name), code(steps))
            assert refused.json()["code"] == "code_wrong"

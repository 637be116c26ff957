"""From an application's link to what it knows of a citizen, and out again."""

from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from app.audit.models import AuditRow
from tests.app.login.journey import Journey
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.provider import Pkce, Registered, Visitor, exchange, question, redeemed, register, returned

ALL = "openid profile nik offline_access"


async def claims(api: Api, token: str, audience: str) -> Mapping[str, Any]:
    async with api.client() as http:
        keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    [key] = [jwt.PyJWK.from_dict(each) for each in keys if each["kid"] == kid]
    return jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=api.url)


async def userinfo(api: Api, token: str) -> dict[str, Any]:
    async with api.client(token=token) as http:
        answer = await http.get("/oauth/userinfo")
    return {"status": answer.status_code, **(answer.json() if answer.content else {})}


async def test_a_citizen_logs_in_and_is_known(api: Api, client: Registered, visitor: Visitor, citizen: Citizen) -> None:
    pkce = Pkce()
    back = await visitor.allowed(question(client, pkce, scope=ALL), citizen)
    assert back["state"] == "a-state"
    assert back["iss"] == api.url
    tokens = await redeemed(api, client, back["code"], pkce)
    told = await claims(api, tokens["id_token"], client.id)
    assert told["nonce"] == "a-nonce"
    assert told["acr"] == "2"
    known = await userinfo(api, tokens["access_token"])
    assert known == {
        "status": 200,
        "sub": told["sub"],
        "name": citizen.person.name,
        "birthdate": citizen.person.birth_date.isoformat(),
        "nik": citizen.person.nik,
    }
    assert not {citizen.person.nik, citizen.person.name, str(citizen.id)} & set(map(str, told.values()))


async def test_scopes_give_no_more_than_they_say(
    api: Api, client: Registered, visitor: Visitor, citizen: Citizen
) -> None:
    pkce = Pkce()
    back = await visitor.allowed(question(client, pkce, scope="openid"), citizen)
    tokens = await redeemed(api, client, back["code"], pkce)
    assert "refresh_token" not in tokens
    assert set(await userinfo(api, tokens["access_token"])) == {"status", "sub"}


async def test_every_grant_and_every_read_leaves_a_row(
    api: Api, client: Registered, visitor: Visitor, people: People, journey: Journey
) -> None:
    citizen, pkce = await people.make(), Pkce()
    back = await visitor.allowed(question(client, pkce, scope="openid nik"), citizen)
    tokens = await redeemed(api, client, back["code"], pkce)
    for _ in range(2):
        await userinfo(api, tokens["access_token"])
    async with journey.database.transaction() as session:
        asked = select(AuditRow).where(AuditRow.subject_id == citizen.id, AuditRow.actor_kind == "client")
        rows = (await session.scalars(asked.order_by(AuditRow.id))).all()
    assert [row.action for row in rows] == ["application.login", "citizen.read", "citizen.read"]
    assert {row.actor_id for row in rows} == {client.id}
    assert rows[-1].fields == ["nik"]
    assert rows[-1].legal_basis == "Permenkes 24/2022"


async def test_two_applications_cannot_compare_a_citizen(
    api: Api, client: Registered, visitor: Visitor, citizen: Citizen
) -> None:
    other, sibling = await register(api, "elsewhere"), await register(api, "sibling", sector="portal.example.go.id")
    subjects, sessions = [], []
    for each in (client, other, sibling):
        pkce = Pkce()
        back = await visitor.allowed(question(each, pkce), citizen)
        told = await claims(api, (await redeemed(api, each, back["code"], pkce))["id_token"], each.id)
        subjects.append(told["sub"])
        sessions.append(told["sid"])
    assert subjects[0] != subjects[1]
    assert subjects[0] == subjects[2], "one sector, one subject"
    assert len(set(sessions)) == 3


async def test_a_yes_is_remembered_and_can_be_withdrawn(
    api: Api, client: Registered, visitor: Visitor, people: People
) -> None:
    citizen, pkce = await people.make(), Pkce()
    back = await visitor.allowed(question(client, pkce, scope=ALL), citizen)
    tokens = await redeemed(api, client, back["code"], pkce)
    again = await visitor.ask(question(client, Pkce(), scope="openid", prompt="none"))
    assert "code" in returned(again)
    [mine] = (await citizen.get("/v1/me/applications")).json()["items"]
    assert mine["scopes"] == ALL.split()
    stranger = await people.make()
    assert (await stranger.client.delete(f"/v1/me/applications/{mine['id']}")).status_code == 404
    assert (await citizen.client.delete(f"/v1/me/applications/{mine['id']}")).status_code == 204
    assert (await userinfo(api, tokens["access_token"]))["status"] == 401
    refused = await exchange(api, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    silent = await visitor.ask(question(client, Pkce(), prompt="none"))
    assert returned(silent)["error"] == "consent_required"


async def test_a_refusal_goes_back_as_one(client: Registered, visitor: Visitor, people: People) -> None:
    citizen = await people.make()
    page = await visitor.log_in(await visitor.ask(question(client, Pkce())), citizen)
    back = returned(await visitor.send(page, "deny"))
    assert back["error"] == "access_denied"
    assert back["state"] == "a-state"
    assert (await citizen.get("/v1/me/applications")).json()["items"] == []


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
async def test_a_new_login_is_asked_for_where_the_application_wants_one(
    api: Api, client: Registered, visitor: Visitor, citizen: Citizen, asked: dict[str, str]
) -> None:
    pkce = Pkce()
    back = await visitor.allowed(question(client, pkce), citizen)
    before = await claims(api, (await redeemed(api, client, back["code"], pkce))["id_token"], client.id)
    page = await visitor.ask(question(client, pkce, **asked))
    assert 'value="login"' in page.text
    back = returned(await visitor.log_in(page, citizen))
    after = await claims(api, (await redeemed(api, client, back["code"], pkce))["id_token"], client.id)
    assert after["auth_time"] >= before["auth_time"]
    assert after["sub"] == before["sub"]


async def test_silence_is_kept_where_it_is_asked_for(client: Registered, visitor: Visitor) -> None:
    back = returned(await visitor.ask(question(client, Pkce(), prompt="none")))
    assert back["error"] == "login_required"


async def test_another_citizen_than_expected_is_not_given(
    api: Api, client: Registered, visitor: Visitor, people: People, journey: Journey
) -> None:
    first, second, pkce = await people.make(), await people.make(), Pkce()
    back = await visitor.allowed(question(client, pkce), first)
    hint = (await redeemed(api, client, back["code"], pkce))["id_token"]
    elsewhere = Visitor(api, journey)
    await elsewhere.allowed(question(client, Pkce()), second)
    silent = await elsewhere.ask(question(client, Pkce(), prompt="none", id_token_hint=hint))
    assert returned(silent)["error"] == "login_required"
    page = await elsewhere.ask(question(client, Pkce(), id_token_hint=hint))
    assert returned(await elsewhere.log_in(page, second))["error"] == "login_required"
    await elsewhere.close()


async def test_pages_speak_the_language_that_is_asked_for(client: Registered, visitor: Visitor) -> None:
    assert "Masuk ke Satu Loket" in (await visitor.ask(question(client, Pkce()))).text
    english = await visitor.ask(question(client, Pkce(), ui_locales="jv en-GB id"))
    assert "Log in to Satu Loket" in english.text
    assert '<html lang="en">' in english.text


async def test_a_request_may_come_as_a_form(client: Registered, visitor: Visitor) -> None:
    answer = await visitor.http.post("/oauth/authorize", data=question(client, Pkce()))
    assert answer.status_code == 303
    page = await visitor.http.get(answer.headers["location"])
    assert 'value="login"' in page.text

"""Officers' tokens: for officers' routes alone, in the roles named, for as long as session and account live."""

import time
from typing import get_args

import jwt
import pytest
from msgspec.structs import replace

from app.login.guards import Role, citizen, officer
from app.login.officers.demo import DEMO_OFFICERS, demo_officer_token, seed_demo_officers
from app.settings import SettingsError
from tests.app.login.journey import Journey
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

ME = "/v1/officer/me"


async def _status(api: Api, token: str | None) -> tuple[int, str]:
    async with api.client(token) as client:
        answer = await client.get(ME)
    return answer.status_code, answer.json().get("code", "")


async def test_says_who_it_is(officers: Officers) -> None:
    made = await officers.make("supervisor", "dinkes")
    told = (await made.get(ME)).json()
    assert told == {"id": str(made.id), "name": made.name, "agency": "dinkes", "role": "supervisor"}
    assert (await (await officers.make("auditor")).get(ME)).json()["agency"] is None


async def test_neither_kind_opens_the_others_routes(api: Api, officers: Officers, people: People) -> None:
    made = await officers.make()
    assert (await made.get("/v1/me")).json()["code"] == "token_invalid"
    assert await _status(api, (await people.make()).token) == (401, "token_invalid")
    assert await _status(api, None) == (401, "token_missing")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("s.revoked_at", "now()"),
        ("s.expires_at", "now() - interval '1 second'"),
        ("s.last_used_at", "now() - interval '30 minutes'"),
        ("o.state", "'disabled'"),
    ],
)
async def test_ends_with_its_session_and_account(api: Api, officers: Officers, column: str, value: str) -> None:
    made = await officers.make()
    assert (await _status(api, made.token))[0] == 200
    table, name = column.split(".")
    where = "officer_id" if table == "s" else "id"
    async with Tables(api.settings.database_url) as tables:
        table = {"s": "officer_sessions", "o": "officers"}[table]
        await tables.run(f"UPDATE {table} SET {name} = {value} WHERE {where} = $1", made.id)
    assert await _status(api, made.token) == (401, "session_revoked")


async def test_a_changed_role_counts_at_once(api: Api, officers: Officers) -> None:
    made = await officers.make("operator", "dinkes")
    async with Tables(api.settings.database_url) as tables:
        await tables.run("UPDATE officers SET role = 'auditor', agency = '' WHERE id = $1", made.id)
    told = (await made.get(ME)).json()
    assert (told["role"], told["agency"]) == ("auditor", None)


async def test_use_keeps_a_session_alive(api: Api, officers: Officers) -> None:
    made = await officers.make()
    async with Tables(api.settings.database_url) as tables:
        await tables.run(
            "UPDATE officer_sessions SET last_used_at = now() - interval '29 minutes' WHERE officer_id = $1", made.id
        )
        assert (await _status(api, made.token))[0] == 200
        idle = "SELECT now() - last_used_at < interval '1 minute' FROM officer_sessions WHERE officer_id = $1"
        assert await tables.value(idle, made.id)


async def test_demo_officers_are_seeded_once(journey: Journey) -> None:
    settings = journey.api.settings
    seeded = []
    for _ in range(2):
        async with journey.database.transaction() as session:
            seeded.append(await seed_demo_officers(session, journey.vault, settings))
    assert seeded == [len(DEMO_OFFICERS), 0]
    for name, demo in DEMO_OFFICERS.items():
        token = await demo_officer_token(journey.database, journey.vault, settings, name)
        assert jwt.decode(token, options={"verify_signature": False})["exp"] > time.time()
        async with journey.api.client(token) as client:
            told = (await client.get(ME)).json()
        assert (told["name"], told["role"], told["agency"] or "") == (name, demo.role, demo.agency)


async def test_never_in_production(journey: Journey) -> None:
    production = replace(journey.api.settings, env="production")
    with pytest.raises(SettingsError):
        await demo_officer_token(journey.database, journey.vault, production, "auditor")
    with pytest.raises(SettingsError):
        async with journey.database.transaction() as session:
            await seed_demo_officers(session, journey.vault, production)


def test_a_permission_names_its_roles() -> None:
    assert officer(*get_args(Role))["roles"] == set(get_args(Role))
    with pytest.raises(ValueError, match="roles"):
        officer()
    assert citizen(level=2) == {"permission": "citizen", "level": 2}

"""Access tokens: what ours say, and a list of forgeries of which none is let in."""

import time

import jwt
import pytest

from app.login.keys import KeyRing
from app.login.tokens import ACCESS_TOKEN_S, LEEWAY_S
from tests.app.login.forgeries import FORGERIES, Forge
from tests.app.login.journey import Journey, assert_problem, somebody


@pytest.fixture(scope="module")
async def forge(journey: Journey) -> Forge:
    ring = KeyRing(journey.database, journey.vault)
    await ring.refresh()
    token = (await journey.register(somebody()))["access_token"]
    return Forge(ring.signer.key, ring.signer.kid, token)


async def test_ours_says_what_it_must(forge: Forge) -> None:
    header = jwt.get_unverified_header(forge.token)
    assert header == {"alg": "ES256", "kid": forge.kid, "typ": "at+jwt"}
    assert set(forge.claims) == {"iss", "aud", "sub", "sid", "acr", "iat", "exp", "jti"}
    assert forge.claims["exp"] - forge.claims["iat"] == ACCESS_TOKEN_S
    assert forge.claims["acr"] == "1"


async def test_what_the_forge_signs_honestly_is_let_in(journey: Journey, forge: Forge) -> None:
    """Otherwise the list below would prove nothing."""
    assert (await journey.me(forge.signed())).status_code == 200
    just_over = int(time.time()) - LEEWAY_S + 5
    assert (await journey.me(forge.signed({"iat": just_over - 300, "exp": just_over}))).status_code == 200


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgery_is_refused(journey: Journey, forge: Forge, name: str) -> None:
    answer = await journey.me(FORGERIES[name](forge))
    assert_problem(answer, 401, "token_invalid")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_expired(journey: Journey, forge: Forge) -> None:
    now = int(time.time())
    answer = await journey.me(forge.signed({"iat": now - 400, "exp": now - LEEWAY_S - 1}))
    assert_problem(answer, 401, "token_expired")


async def test_expires_also_where_it_is_remembered(journey: Journey, forge: Forge) -> None:
    soon = int(time.time()) - LEEWAY_S + 2
    token = forge.signed({"iat": soon - ACCESS_TOKEN_S, "exp": soon})
    assert (await journey.me(token)).status_code == 200
    time.sleep(2.1)  # noqa: ASYNC251 -- nothing else runs in this loop; the API has its own
    assert_problem(await journey.me(token), 401, "token_expired")


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "bearer", "Token abc", "DPoP x"])
async def test_no_bearer_token(journey: Journey, header: str) -> None:
    async with journey.api.client() as client:
        answer = await client.get("/v1/me", headers={"Authorization": header})
    assert_problem(answer, 401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_scheme_word_in_any_case(journey: Journey, forge: Forge) -> None:
    async with journey.api.client() as client:
        answer = await client.get("/v1/me", headers={"Authorization": f"bEaReR {forge.token}"})
    assert answer.status_code == 200


async def test_token_in_the_address_counts_for_nothing(journey: Journey, forge: Forge) -> None:
    async with journey.api.client() as client:
        answer = await client.get("/v1/me", params={"access_token": forge.token})
    assert_problem(answer, 401, "token_missing")


async def test_published_keys_verify_and_hold_nothing_private(journey: Journey, forge: Forge) -> None:
    async with journey.api.client() as client:
        answer = await client.get("/.well-known/jwks.json")
        metadata = (await client.get("/.well-known/openid-configuration")).json()
    assert set(answer.headers["cache-control"].split(", ")) == {"public", "max-age=300"}
    keys = answer.json()["keys"]
    assert len(keys) == 2, "the active key and the next one"
    assert all(set(key) == {"kid", "kty", "crv", "x", "y", "use", "alg"} for key in keys)
    key = next(key for key in keys if key["kid"] == forge.kid)
    claims = jwt.decode(forge.token, jwt.PyJWK(key), algorithms=["ES256"], audience=f"{metadata['issuer']}/v1")
    assert claims["iss"] == metadata["issuer"] == journey.api.url
    assert metadata["jwks_uri"] == f"{journey.api.url}/.well-known/jwks.json"

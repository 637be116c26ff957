"""authlib as an application of an agency: a client library that knows nothing of us, unmodified."""

import os
from collections.abc import AsyncIterator

import pytest
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.harness.people import Citizen
from tests.harness.product import Api
from tests.harness.provider import Registered, Visitor, register


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API under test has no TLS, which authlib else insists on."""
    monkeypatch.setitem(os.environ, "AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "own-key", "use": "sig", "alg": "ES256"})


@pytest.fixture(scope="module")
async def signer(api: Api, key: ECKey) -> Registered:
    """An application that proves itself by a key of its own."""
    return await register(api, "signer", public_keys=[key.as_dict(private=False)])


@pytest.fixture
async def metadata(api: Api) -> OpenIDProviderMetadata:
    async with api.client() as http:
        found = OpenIDProviderMetadata((await http.get(get_well_known_url(api.url))).json())
    assert found["issuer"] == api.url
    return found


@pytest.fixture(params=["client_secret_basic", "private_key_jwt"])
async def library(
    request: pytest.FixtureRequest, client: Registered, signer: Registered, key: ECKey, metadata: OpenIDProviderMetadata
) -> AsyncIterator[AsyncOAuth2Client]:
    """The library, proving itself in each of the two ways."""
    by_key = request.param == "private_key_jwt"
    ours = signer if by_key else client
    session = AsyncOAuth2Client(
        ours.id,
        key if by_key else ours.secret,
        scope="openid profile nik offline_access",
        redirect_uri=ours.callback,
        token_endpoint_auth_method=request.param,
        revocation_endpoint_auth_method=request.param,
        code_challenge_method="S256",
        trust_env=False,
    )
    if by_key:
        session.register_client_auth_method(PrivateKeyJWT(metadata["token_endpoint"], alg="ES256"))
    async with session:
        yield session


async def test_metadata_is_whole(metadata: OpenIDProviderMetadata) -> None:
    """By authlib's reading of RFC 8414; it wants addresses to be https, which those of a city are.

    Of OpenID Connect Discovery it asks RS256, too, for id tokens: ours are signed with ES256 alone.
    """
    tls = AuthorizationServerMetadata(
        {
            name: value.replace("http://", "https://") if isinstance(value, str) else value
            for name, value in metadata.items()
        }
    )
    tls.validate()


async def test_logs_in_refreshes_reads_and_logs_out(
    library: AsyncOAuth2Client, metadata: OpenIDProviderMetadata, visitor: Visitor, citizen: Citizen, api: Api
) -> None:
    verifier, nonce = generate_token(48), generate_token(20)
    address, state = library.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    page = await visitor.http.get(address)
    answer = await visitor.log_in(page, citizen)
    if 'value="consent"' in answer.text:
        answer = await visitor.send(answer, "allow")
    token = await library.fetch_token(
        metadata["token_endpoint"],
        authorization_response=answer.headers["location"],
        state=state,
        code_verifier=verifier,
    )
    keys = KeySet.import_key_set((await visitor.http.get(metadata["jwks_uri"])).json())
    told = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    claims = CodeIDToken(
        told.claims,
        told.header,
        {"iss": {"value": api.url}, "aud": {"value": library.client_id}},
        {"nonce": nonce, "client_id": library.client_id},
    )
    claims.validate()
    assert (await library.get(metadata["userinfo_endpoint"])).json() == {
        "sub": claims["sub"],
        "name": citizen.person.name,
        "birthdate": citizen.person.birth_date.isoformat(),
        "nik": citizen.person.nik,
    }
    renewed = await library.refresh_token(metadata["token_endpoint"])
    assert renewed["access_token"] != token["access_token"]
    assert renewed["refresh_token"] != token["refresh_token"]
    assert (await library.get(metadata["userinfo_endpoint"])).status_code == 200
    await log_out(visitor, metadata, renewed["id_token"])
    assert (await library.get(metadata["userinfo_endpoint"])).status_code == 401


async def log_out(visitor: Visitor, metadata: OpenIDProviderMetadata, hint: str) -> None:
    """As the browser is sent: with the id token that says which session is meant."""
    answer = await visitor.http.get(metadata["end_session_endpoint"], params={"id_token_hint": hint})
    assert answer.status_code == 200
    assert "Anda sudah keluar" in answer.text


async def test_revokes(
    library: AsyncOAuth2Client, metadata: OpenIDProviderMetadata, visitor: Visitor, citizen: Citizen
) -> None:
    verifier = generate_token(48)
    address, _ = library.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    answer = await visitor.log_in(await visitor.http.get(address), citizen)
    if 'value="consent"' in answer.text:
        answer = await visitor.send(answer, "allow")
    token = await library.fetch_token(
        metadata["token_endpoint"], authorization_response=answer.headers["location"], code_verifier=verifier
    )
    gone = await library.revoke_token(metadata["revocation_endpoint"], token=token["refresh_token"])
    assert gone.status_code == 200
    assert (await library.get(metadata["userinfo_endpoint"])).status_code == 401

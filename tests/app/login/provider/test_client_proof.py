"""Proofs of clients that sign with keys of their own: every one that is not just right is refused, and used up once."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from app.ids import uuid7
from app.login.provider.client_proof import ASSERTION_TYPE
from tests.harness.product import Api
from tests.harness.provider import Registered, register

NAME = "signs-itself"


@pytest.fixture(scope="module")
def key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


@pytest.fixture(scope="module")
async def signer(api: Api, key: EllipticCurvePrivateKey) -> Registered:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return await register(api, NAME, public_keys=[{**jwk, "kid": "one", "use": "sig", "alg": "ES256"}])


def claims(api: Api, **changed: object) -> dict[str, Any]:
    now = int(time.time())
    told = {"iss": NAME, "sub": NAME, "aud": api.url, "iat": now, "exp": now + 60, "jti": uuid7().hex, **changed}
    return {name: value for name, value in told.items() if value is not None}


def signed(key: Any, told: Mapping[str, Any], algorithm: str = "ES256", **header: str) -> str:
    return jwt.encode(dict(told), key, algorithm, headers={"kid": "one", **header})


def by_public_key(key: EllipticCurvePrivateKey, told: Mapping[str, Any]) -> str:
    """HS256 with the public key as the secret: what a server that trusts the header would accept."""
    secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body = ({"alg": "HS256", "kid": "one", "typ": "JWT"}, told)
    parts = b".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (head, body))
    mac = base64.urlsafe_b64encode(hmac.digest(secret, parts, hashlib.sha256)).rstrip(b"=")
    return (parts + b"." + mac).decode()


Forge = Callable[[Api, EllipticCurvePrivateKey], str]
FORGED: Mapping[str, Forge] = {
    "nothing": lambda _api, _key: "",
    "no token": lambda _api, _key: "a.b.c",
    "unsigned": lambda api, _key: jwt.encode(claims(api), "", "none", headers={"kid": "one"}),
    "signed by somebody else": lambda api, _key: signed(generate_private_key(SECP256R1()), claims(api)),
    "signed by the public key": lambda api, key: by_public_key(key, claims(api)),
    "by a key it names itself": lambda api, _key: signed(
        generate_private_key(SECP256R1()), claims(api), jku="https://evil.example/keys"
    ),
    "by an unknown key": lambda api, key: signed(key, claims(api), kid="two"),
    "for another server": lambda api, key: signed(key, claims(api, aud="https://evil.example")),
    "for another server as well": lambda api, key: signed(key, claims(api, aud=[api.url, "https://evil.example"])),
    "for nobody": lambda api, key: signed(key, claims(api, aud=None)),
    "of another issuer": lambda api, key: signed(key, claims(api, iss="portal")),
    "of another subject": lambda api, key: signed(key, claims(api, sub="portal")),
    "of nobody": lambda api, key: signed(key, claims(api, sub=None)),
    "of an unknown client": lambda api, key: signed(key, claims(api, iss="nobody", sub="nobody")),
    "expired": lambda api, key: signed(key, claims(api, exp=int(time.time()) - 120)),
    "without end": lambda api, key: signed(key, claims(api, exp=None)),
    "for years": lambda api, key: signed(key, claims(api, exp=int(time.time()) + 10**8)),
    "not yet": lambda api, key: signed(key, claims(api, nbf=int(time.time()) + 3600)),
    "without its own number": lambda api, key: signed(key, claims(api, jti=None)),
    "with an empty number": lambda api, key: signed(key, claims(api, jti="")),
    "too long": lambda api, key: signed(key, claims(api, more="x" * 5_000)),
}


async def introspect(api: Api, assertion: str, kind: str = ASSERTION_TYPE, **headers: str) -> httpx.Response:
    form = {"token": "x", "client_assertion_type": kind, "client_assertion": assertion}
    async with api.client() as http:
        return await http.post("/oauth/introspect", data=form, headers=headers)


async def test_the_right_one_is_believed_once(api: Api, signer: Registered, key: EllipticCurvePrivateKey) -> None:
    assert signer.secret == ""
    for audience in (api.url, f"{api.url}/oauth/token", [f"{api.url}/oauth/introspect"]):
        assertion = signed(key, claims(api, aud=audience))
        assert (await introspect(api, assertion)).status_code == 200
        again = await introspect(api, assertion)
        assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_any_other_is_refused(api: Api, signer: Registered, key: EllipticCurvePrivateKey, forge: Forge) -> None:
    assert signer.id == NAME
    refused = await introspect(api, forge(api, key))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_one_proof_of_one_kind(api: Api, signer: Registered, key: EllipticCurvePrivateKey) -> None:
    basic = "Basic " + base64.b64encode(f"{signer.id}:".encode()).decode()
    both = await introspect(api, signed(key, claims(api)), Authorization=basic)
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    other = await introspect(api, signed(key, claims(api)), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
    assert other.status_code == 401
    async with api.client() as http:
        alone = await http.post("/oauth/introspect", data={"token": "x"}, headers={"Authorization": basic})
    assert alone.status_code == 401, "who signs has no secret, not even an empty one"

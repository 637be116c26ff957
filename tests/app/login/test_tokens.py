"""Access tokens: what ours say, and a list of forgeries of which none is let in."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from app.login.keys import KeyRing
from app.login.tokens import ACCESS_TOKEN_S, LEEWAY_S
from tests.app.login.journey import Journey, assert_problem, somebody

Claims = dict[str, Any]


class Forge:
    """Our own key and a stranger's, a good token's header and claims."""

    def __init__(self, key: EllipticCurvePrivateKey, kid: str, token: str) -> None:
        self.key = key
        self.kid = kid
        self.token = token
        self.stranger = generate_private_key(SECP256R1())
        self.claims: Claims = jwt.decode(token, options={"verify_signature": False})
        self.header = {"kid": kid, "typ": "at+jwt"}

    def signed(
        self, claims: Claims | None = None, header: Claims | None = None, key: EllipticCurvePrivateKey | None = None
    ) -> str:
        """A token signed as ours are, but for what is given. A claim or header None is left out."""
        body = {name: value for name, value in {**self.claims, **(claims or {})}.items() if value is not None}
        head = {name: value for name, value in {**self.header, **(header or {})}.items() if value is not None}
        return jwt.PyJWS().encode(json.dumps(body).encode(), key or self.key, "ES256", headers=head)

    def raw(self, header: Claims, signature: bytes = b"", claims: Claims | None = None) -> str:
        """A token put together by hand."""
        parts = [json.dumps(part).encode() for part in (header, claims or self.claims)]
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))

    def with_hmac(self, secret: bytes, algorithm: str = "HS256") -> str:
        """Key confusion: a public value taken for a shared secret."""
        unsigned = self.raw({"alg": algorithm, **self.header}).rsplit(".", 1)[0]
        return self.raw({"alg": algorithm, **self.header}, hmac.digest(secret, unsigned.encode(), hashlib.sha256))

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def stranger_jwk(self) -> Claims:
        return dict(ECAlgorithm.to_jwk(self.stranger.public_key(), as_dict=True))


@pytest.fixture(scope="module")
async def forge(journey: Journey) -> Forge:
    ring = KeyRing(journey.database, journey.vault)
    await ring.refresh()
    token = (await journey.register(somebody()))["access_token"]
    return Forge(ring.signer.key, ring.signer.kid, token)


def _flipped(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


FORGERIES: dict[str, Callable[[Forge], str]] = {
    "no algorithm": lambda f: f.raw({"alg": "none", **f.header}),
    "no algorithm, in capitals": lambda f: f.raw({"alg": "NONE", **f.header}),
    "no algorithm, signature kept": lambda f: f.raw({"alg": "none", **f.header}, b"x" * 64),
    "no header alg": lambda f: f.raw(f.header, b"x" * 64),
    "empty signature": lambda f: f.token.rsplit(".", 1)[0] + ".",
    "no signature part": lambda f: f.token.rsplit(".", 1)[0],
    "zero signature (r = s = 0)": lambda f: f.raw({"alg": "ES256", **f.header}, bytes(64)),
    "signature changed": lambda f: _flipped(f.token),
    "signature of another token": lambda f: (
        f"{f.signed({'sub': str(uuid4())}).rsplit('.', 1)[0]}.{f.token.split('.')[2]}"
    ),
    "claims changed": lambda f: ".".join(
        (f.token.split(".")[0], f.raw({}).split(".")[1] + "e30", f.token.split(".")[2])
    ),
    "HS256 with the public key in PEM": lambda f: f.with_hmac(f.public_pem()),
    "HS256 with the key id": lambda f: f.with_hmac(f.kid.encode()),
    "HS256 with nothing": lambda f: f.with_hmac(b""),
    "ES384": lambda f: jwt.encode(f.claims, generate_private_key(SECP384R1()), "ES384", headers=f.header),
    "stranger's key under our id": lambda f: f.signed(key=f.stranger),
    "stranger's key, key in the header": lambda f: f.signed(key=f.stranger, header={"jwk": f.stranger_jwk()}),
    "stranger's key, address in the header": lambda f: f.signed(
        key=f.stranger, header={"jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/x"}
    ),
    "unknown key id": lambda f: f.signed(header={"kid": "0" * 32}),
    "key id a path": lambda f: f.signed(key=f.stranger, header={"kid": "../../../../dev/null"}),
    "key id SQL": lambda f: f.signed(header={"kid": "' or 1=1 --"}),
    "key id empty": lambda f: f.signed(header={"kid": ""}),
    "key id missing": lambda f: f.signed(header={"kid": None}),
    "key id a number": lambda f: f.raw({"alg": "ES256", "typ": "at+jwt", "kid": 1}, b"x" * 64),
    "key id a list": lambda f: f.raw({"alg": "ES256", "typ": "at+jwt", "kid": [f.kid]}, b"x" * 64),
    "unknown critical header": lambda f: f.signed(header={"crit": ["b64"], "b64": False}),
    "typ of an ID token": lambda f: f.signed(header={"typ": "JWT"}),
    "typ missing": lambda f: f.signed(header={"typ": ""}),
    "typ of a logout token": lambda f: f.signed(header={"typ": "logout+jwt"}),
    "issuer another": lambda f: f.signed({"iss": "https://elsewhere.example"}),
    "issuer with a slash more": lambda f: f.signed({"iss": f.claims["iss"] + "/"}),
    "issuer missing": lambda f: f.signed({"iss": None}),
    "issuer a list": lambda f: f.signed({"iss": [f.claims["iss"]]}),
    "expiry beyond any number": lambda f: f.signed({"exp": 10**400}),
    "expiry without end": lambda f: f.signed({"exp": float("inf")}),
    "audience another": lambda f: f.signed({"aud": "https://elsewhere.example/v1"}),
    "audience the issuer": lambda f: f.signed({"aud": f.claims["iss"]}),
    "audience several": lambda f: f.signed({"aud": [f.claims["aud"], "https://elsewhere.example"]}),
    "audience missing": lambda f: f.signed({"aud": None}),
    "expiry missing": lambda f: f.signed({"exp": None}),
    "expiry a day from now": lambda f: f.signed({"exp": int(time.time()) + 86_400}),
    "level nine": lambda f: f.signed({"acr": "9"}),
    "expiry a word": lambda f: f.signed({"exp": "tomorrow"}),
    "issued in the future": lambda f: f.signed({"iat": int(time.time()) + 3600}),
    "issue time missing": lambda f: f.signed({"iat": None}),
    "not valid yet": lambda f: f.signed({"nbf": int(time.time()) + 3600}),
    "subject missing": lambda f: f.signed({"sub": None}),
    "subject no id": lambda f: f.signed({"sub": "admin"}),
    "session missing": lambda f: f.signed({"sid": None}),
    "session no id": lambda f: f.signed({"sid": "x"}),
    "level missing": lambda f: f.signed({"acr": None}),
    "level a word": lambda f: f.signed({"acr": "high"}),
    "token id missing": lambda f: f.signed({"jti": None}),
    "claims no object": lambda f: ".".join((f.token.split(".")[0], "W10", f.token.split(".")[2])),
    "not a token": lambda _: "hello",
    "two dots": lambda _: "..",
    "four kilobytes too long": lambda f: f.token + "A" * 4096,
    "encrypted form (five parts)": lambda f: f.token + ".x.y",
    "two tokens": lambda f: f"{f.token} {f.token}",
}


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

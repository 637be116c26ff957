"""Forged access tokens: each is signed, encoded or labelled so that a careless reader would let it in."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

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
        return ".".join(_base64url(part) for part in (*parts, signature))

    def verbatim(self, claims: str, header: str = "") -> str:
        """Signed by our own key over exactly this text, which need not be what an encoder would write."""
        head = header or json.dumps({"alg": "ES256", **self.header})
        parts = ".".join(_base64url(part.encode()) for part in (head, claims))
        return f"{parts}.{_base64url(ECAlgorithm(ECAlgorithm.SHA256).sign(parts.encode(), self.key))}"

    def said_twice(self, name: str, first: object) -> str:
        """A claim that stands there twice: one reader takes the first, another the last."""
        return self.verbatim("{" + json.dumps({name: first})[1:-1] + ", " + json.dumps(self.claims)[1:])

    def with_hmac(self, secret: bytes, algorithm: str = "HS256") -> str:
        """Key confusion: a public value taken for a shared secret."""
        unsigned = self.raw({"alg": algorithm, **self.header}).rsplit(".", 1)[0]
        return self.raw({"alg": algorithm, **self.header}, hmac.digest(secret, unsigned.encode(), hashlib.sha256))

    def public(self, encoding: Encoding = Encoding.PEM) -> bytes:
        return self.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def public_jwk(self) -> bytes:
        return json.dumps(ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)).encode()

    def stranger_jwk(self) -> Claims:
        return dict(ECAlgorithm.to_jwk(self.stranger.public_key(), as_dict=True))


def _base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


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
    "HS256 with the public key in PEM": lambda f: f.with_hmac(f.public()),
    "HS256 with the public key in DER": lambda f: f.with_hmac(f.public(Encoding.DER)),
    "HS256 with the public key as JWK": lambda f: f.with_hmac(f.public_jwk()),
    "HS512 in name with the public key": lambda f: f.with_hmac(f.public(), "HS512"),
    "HS256 with the key id": lambda f: f.with_hmac(f.kid.encode()),
    "HS256 with nothing": lambda f: f.with_hmac(b""),
    "ES384": lambda f: jwt.encode(f.claims, generate_private_key(SECP384R1()), "ES384", headers=f.header),
    "ES256K": lambda f: jwt.encode(f.claims, generate_private_key(SECP256K1()), "ES256K", headers=f.header),
    "EdDSA": lambda f: jwt.encode(f.claims, Ed25519PrivateKey.generate(), "EdDSA", headers=f.header),
    "RS256": lambda f: jwt.encode(f.claims, generate_rsa_key(65_537, 2_048), "RS256", headers=f.header),
    "PS256": lambda f: jwt.encode(f.claims, generate_rsa_key(65_537, 2_048), "PS256", headers=f.header),
    "our algorithm in small letters": lambda f: f.verbatim(
        json.dumps(f.claims), json.dumps({"alg": "es256", **f.header})
    ),
    "algorithm a list": lambda f: f.verbatim(json.dumps(f.claims), json.dumps({"alg": ["ES256"], **f.header})),
    "stranger's key under our id": lambda f: f.signed(key=f.stranger),
    "stranger's key, key in the header": lambda f: f.signed(key=f.stranger, header={"jwk": f.stranger_jwk()}),
    "stranger's key, address in the header": lambda f: f.signed(
        key=f.stranger, header={"jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/x"}
    ),
    "stranger's certificate in the header": lambda f: f.signed(key=f.stranger, header={"x5c": ["MIIB"], "x5t": "x"}),
    "unknown key id": lambda f: f.signed(header={"kid": "0" * 32}),
    "key id a path": lambda f: f.signed(key=f.stranger, header={"kid": "../../../../dev/null"}),
    "key id an address": lambda f: f.signed(key=f.stranger, header={"kid": "http://127.0.0.1:1/jwks.json"}),
    "key id a file": lambda f: f.signed(key=f.stranger, header={"kid": "file:///proc/self/environ"}),
    "key id with a null character": lambda f: f.signed(header={"kid": f.kid + "\0"}),
    "key id in capitals": lambda f: f.signed(header={"kid": f.kid.upper()}),
    "key id SQL": lambda f: f.signed(header={"kid": "' or 1=1 --"}),
    "key id empty": lambda f: f.signed(header={"kid": ""}),
    "key id missing": lambda f: f.signed(header={"kid": None}),
    "key id a number": lambda f: f.raw({"alg": "ES256", "typ": "at+jwt", "kid": 1}, b"x" * 64),
    "key id a list": lambda f: f.raw({"alg": "ES256", "typ": "at+jwt", "kid": [f.kid]}, b"x" * 64),
    "unknown critical header": lambda f: f.signed(header={"crit": ["b64"], "b64": False}),
    "payload not encoded (b64 false)": lambda f: f.signed(header={"b64": False}),
    "critical header, empty": lambda f: f.signed(header={"crit": []}),
    "compressed": lambda f: f.signed(header={"zip": "DEF", "crit": ["zip"]}),
    "typ of an ID token": lambda f: f.signed(header={"typ": "JWT"}),
    "typ missing": lambda f: f.signed(header={"typ": ""}),
    "typ of a logout token": lambda f: f.signed(header={"typ": "logout+jwt"}),
    "issuer another": lambda f: f.signed({"iss": "https://elsewhere.example"}),
    "issuer with a slash more": lambda f: f.signed({"iss": f.claims["iss"] + "/"}),
    "issuer in capitals": lambda f: f.signed({"iss": f.claims["iss"].upper()}),
    "issuer missing": lambda f: f.signed({"iss": None}),
    "issuer a list": lambda f: f.signed({"iss": [f.claims["iss"]]}),
    "expiry beyond any number": lambda f: f.signed({"exp": 10**400}),
    "expiry without end": lambda f: f.signed({"exp": float("inf")}),
    "audience another": lambda f: f.signed({"aud": "https://elsewhere.example/v1"}),
    "audience the issuer": lambda f: f.signed({"aud": f.claims["iss"]}),
    "audience several": lambda f: f.signed({"aud": [f.claims["aud"], "https://elsewhere.example"]}),
    "audience missing": lambda f: f.signed({"aud": None}),
    "audience ours in a list": lambda f: f.signed({"aud": [f.claims["aud"]]}),
    "audience of an officer": lambda f: f.signed({"aud": f"{f.claims['iss']}/v1/officer"}),
    "ID token of ours": lambda f: f.signed({"aud": "app.example", "nonce": "n"}, {"typ": "JWT"}),
    "subject said twice": lambda f: f.said_twice("sub", str(uuid4())),
    "session said twice": lambda f: f.said_twice("sid", str(uuid4())),
    "level said twice": lambda f: f.said_twice("acr", "3"),
    "expiry said twice": lambda f: f.said_twice("exp", 1),
    "algorithm said twice": lambda f: f.verbatim(
        json.dumps(f.claims), '{"alg": "none", ' + json.dumps({"alg": "ES256", **f.header})[1:]
    ),
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
    "expiry a text": lambda f: f.signed({"exp": str(f.claims["exp"])}),
    "expiry no number (NaN)": lambda f: f.signed({"exp": float("nan")}),
    "issued a minute from now": lambda f: f.signed({"iat": int(time.time()) + 60}),
    "not before a word": lambda f: f.signed({"nbf": "now"}),
    "subject of another form": lambda f: f.signed({"sub": "{" + f.claims["sub"] + "}"}),
    "subject a list": lambda f: f.signed({"sub": [f.claims["sub"]]}),
    "level a number": lambda f: f.signed({"acr": 3}),
    "claims nested deeply": lambda f: f.verbatim("[" * 700 + "]" * 700),
    "header nested deeply": lambda f: f.verbatim("{}", "[" * 1_400),
    "claims not UTF-8": lambda f: f"{f.token.split('.')[0]}.{_base64url(bytes([0xFF, 0xFE]))}.{f.token.split('.')[2]}",
    "header not base64": lambda f: f"!!!!.{f.token.split('.', 1)[1]}",
    "claims not base64": lambda f: ".".join((f.token.split(".")[0], "*" * 40, f.token.split(".")[2])),
    "padding kept": lambda f: f"{f.token}==",
    "standard alphabet": lambda f: f.token + "+/",
    "line break within": lambda f: f.token[:40] + "%0A" + f.token[40:],
    "signature cut": lambda f: f.token[:-4],
    "signature in DER": lambda f: f"{f.token.rsplit('.', 1)[0]}.{_base64url(f.key.sign(b'x', ECDSA(SHA256())))}",
    "claims no object": lambda f: ".".join((f.token.split(".")[0], "W10", f.token.split(".")[2])),
    "not a token": lambda _: "hello",
    "two dots": lambda _: "..",
    "four kilobytes too long": lambda f: f.token + "A" * 4096,
    "encrypted form (five parts)": lambda f: f.token + ".x.y",
    "two tokens": lambda f: f"{f.token} {f.token}",
}

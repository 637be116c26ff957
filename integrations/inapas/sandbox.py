"""A small OpenID Provider in INApas's place: real discovery, keys, PKCE, client assertions and signed id tokens.

Its login page asks no password: one says who one is. `work` logs somebody in without a browser: the reference is the
address the browser was sent to, the step a NIK, or a NIK and the flaw that its id token shall have.
"""

import base64
import hashlib
import secrets
import time
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from app.sandbox.port import Effect, Ledger, Route, Sandbox

CODE_S = 60
TOKEN_S = 300
FLAWS = (
    *("other_nonce", "other_issuer", "other_audience", "two_audiences", "expired", "old", "unsigned", "other_key"),
    *("unknown_key", "hmac", "no_nonce", "no_sub", "other_person", "no_nik", "odd_nik", "no_birth_date"),
)
_KNOWN = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text("utf-8"))
_PEOPLE: Mapping[str, Mapping[str, str]] = {each["nik"]: each for each in _KNOWN["people"]}
_CLIENT_KEY = jwt.PyJWK.from_dict({**_KNOWN["client"]["key"], "alg": "ES512"})


class InapasSandbox(Sandbox):
    """Codes and tokens are kept in memory only: after a restart one logs in again."""

    name = "inapas"
    quirks: ClassVar = {"iss": ("told", "untold")}

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._key = generate_private_key(SECP256R1())
        self._codes: dict[str, Mapping[str, str]] = {}
        self._tokens: dict[str, Mapping[str, str]] = {}
        self._proofs: set[str] = set()

    def routes(self) -> Sequence[Route]:
        return [
            Route("discovery", "GET", "/.well-known/openid-configuration", self._discovery),
            # No call of ours: the citizen's browser goes here, under the faults of the way that leads to it.
            Route("discovery", "GET", "/authorize", self._page),
            Route("discovery", "POST", "/authorize", self._log_in),
            Route("keys", "GET", "/keys", self._public_keys),
            Route("token", "POST", "/token", self._token),
            Route("userinfo", "GET", "/userinfo", self._userinfo),
        ]

    def apply(self, effect: Effect) -> None:
        """Logins are told in the ledger; what they gave is not kept."""

    def clear(self) -> None:
        self._codes.clear()
        self._tokens.clear()
        self._proofs.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        nik, _, flaw = (step or "").partition(" ")
        if nik not in _PEOPLE or flaw not in ("", *FLAWS):
            raise ValueError(f"a step is the NIK of {sorted(_PEOPLE)}, and perhaps a flaw of {FLAWS}")
        asked = _asked(urlsplit(reference or "").query)
        if "redirect_uri" not in asked:
            raise KeyError(reference)
        return [self._code(asked, nik, flaw)]

    def _code(self, asked: Mapping[str, str], nik: str, flaw: str = "") -> str:
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**asked, "nik": nik, "flaw": flaw, "until": str(time.time() + CODE_S)}
        self.ledger.record("discovery", asked.get("state", ""), {"code": code})
        return code

    async def _discovery(self, request: web.Request) -> web.Response:
        issuer = _issuer(request)
        return web.json_response(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": self.quirk["iss"] == "told",
            }
        )

    async def _page(self, request: web.Request) -> web.Response:
        asked = _asked(request.query_string)
        if asked.get("client_id") != _KNOWN["client"]["id"] or asked.get("code_challenge_method") != "S256":
            return web.json_response({"error": "invalid_request"}, status=400)
        people = "".join(
            f'<p><button name="nik" value="{escape(nik)}">{escape(each["name"])}</button></p>'
            for nik, each in _PEOPLE.items()
        )
        action = escape(f"{request.path}?{request.query_string}")
        page = (
            f'<!doctype html><title>INApas</title><h1>INApas</h1><form method="post" action="{action}">{people}</form>'
        )
        return web.Response(text=page, content_type="text/html")

    async def _log_in(self, request: web.Request) -> web.Response:
        asked = _asked(request.query_string)
        nik = str((await request.post()).get("nik", ""))
        back = {"state": asked.get("state", "")} | ({"iss": _issuer(request)} if self.quirk["iss"] == "told" else {})
        answer = {"code": self._code(asked, nik)} if nik in _PEOPLE else {"error": "access_denied"}
        raise web.HTTPSeeOther(f"{asked['redirect_uri']}?{urlencode({**answer, **back})}")

    async def _public_keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [{**ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True), **_NAMED}]})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_the_client(form, _issuer(request)):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or float(asked["until"]) < time.time()
            or asked["redirect_uri"] != form.get("redirect_uri")
            or asked.get("code_challenge") != challenge
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access = secrets.token_urlsafe(16)
        self._tokens[access] = asked
        tokens = {"access_token": access, "token_type": "Bearer", "expires_in": TOKEN_S}
        return web.json_response({**tokens, "id_token": self._id_token(asked, _issuer(request))})

    async def _userinfo(self, request: web.Request) -> web.Response:
        asked = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if asked is None:
            return web.json_response({"error": "invalid_token"}, status=401)
        person = dict(_PEOPLE[asked["nik"]])
        if asked["flaw"] == "no_nik":
            del person["nik"]
        if asked["flaw"] == "odd_nik":
            person["nik"] = "357102450590900X"
        if asked["flaw"] == "no_birth_date":
            del person["birthdate"]
        subject = _subject("somebody else" if asked["flaw"] == "other_person" else asked["nik"])
        return web.json_response({"sub": subject, **person})

    def _is_the_client(self, form: Mapping[str, str], issuer: str) -> bool:
        try:
            proof = jwt.decode(
                form.get("client_assertion", ""),
                _CLIENT_KEY,
                algorithms=["ES512"],
                audience=issuer,
                issuer=_KNOWN["client"]["id"],
                options={"require": ["exp", "jti", "sub"]},
            )
        except jwt.PyJWTError:
            return False
        is_new = proof["jti"] not in self._proofs
        self._proofs.add(proof["jti"])
        return is_new

    def _id_token(self, asked: Mapping[str, str], issuer: str) -> str:
        """Right, or with the flaw that was asked for."""
        now, flaw = int(time.time()), asked["flaw"]
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": _subject(asked["nik"]),
            "aud": _KNOWN["client"]["id"],
            "iat": now,
            "exp": now + TOKEN_S,
            "nonce": asked.get("nonce", ""),
        }
        claims |= _FLAWED.get(flaw, {})
        if flaw in ("expired", "old"):
            claims |= {"iat": now - 3600, "exp": now - 1800 if flaw == "expired" else now + 3600}
        for missing in {"no_nonce": ["nonce"], "no_sub": ["sub"]}.get(flaw, []):
            del claims[missing]
        if flaw == "unsigned":
            return jwt.encode(claims, "", "none", headers=_NAMED_KID)
        if flaw == "hmac":
            return jwt.encode(claims, hashlib.sha256(b"anything").digest(), "HS256", headers=_NAMED_KID)
        key = generate_private_key(SECP256R1()) if flaw == "other_key" else self._key
        return jwt.encode(claims, key, "ES256", headers={"kid": "nobodys"} if flaw == "unknown_key" else _NAMED_KID)


_NAMED = {"kid": "inapas-1", "use": "sig", "alg": "ES256"}
_NAMED_KID = {"kid": "inapas-1"}
_FLAWED: Mapping[str, Mapping[str, object]] = {
    "other_nonce": {"nonce": "another"},
    "other_issuer": {"iss": "https://evil.example"},
    "other_audience": {"aud": "another-client"},
    "two_audiences": {"aud": ["satu-loket", "another-client"]},
}


def _asked(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _issuer(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}/inapas"


def _subject(nik: str) -> str:
    return hashlib.sha256(f"inapas {nik}".encode()).hexdigest()[:32]

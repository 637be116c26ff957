"""INApas's wire: discovery, keys, token and userinfo; our proof as a client. What the claims mean is the adapter's."""

import base64
import binascii
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from jwt.algorithms import ECAlgorithm

from app.agency_answers import fault_unless
from app.agency_client import AgencyClient, Call, Reply
from app.errors import AgencyRejected, AgencyUnavailable
from app.settings import SettingsError

T = TypeVar("T")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_S = 60
ALGORITHMS: Mapping[str, str] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
# The rest of an address below the issuer: what neither climbs, nor leaves, nor is read in two ways.
_BELOW = re.compile(r"(/[A-Za-z0-9_~.-]+)+")


class Metadata(msgspec.Struct, frozen=True):
    """What INApas says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True):
    access_token: str
    id_token: str
    token_type: str


class OurKey:
    """The key we prove ourselves by. Raises SettingsError for one that cannot be used."""

    def __init__(self, name: str, encoded: str) -> None:
        variable = f"LOKET_{name.upper()}_SIGNING_KEY"
        try:
            key = load_der_private_key(base64.b64decode(encoded, validate=True), password=None)
        except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
            raise SettingsError(f"{variable} is no PKCS #8 key in base64") from None
        if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in ALGORITHMS:
            raise SettingsError(f"{variable} is no EC key of P-256, P-384 or P-521")
        self._key = key
        self.algorithm = ALGORITHMS[key.curve.name]
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.kid = _thumbprint(public)
        self.public: Mapping[str, str] = {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def assertion(self, client_id: str, audience: str) -> str:
        """Who we are, for a minute and once (RFC 7523)."""
        now = int(time.time())
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + ASSERTION_S}
        return jwt.encode(
            {**claims, "jti": secrets.token_urlsafe(16)}, self._key, self.algorithm, headers={"kid": self.kid}
        )


class InapasClient:
    """One method per address. Raises AgencyUnavailable for an answer that cannot be understood."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name
        self.issuer = client.backend.url
        self.client_id = client.backend.settings["client_id"]
        self.key = OurKey(self._name, client.backend.credentials["signing_key"])

    async def metadata(self) -> Metadata:
        """Every address in it is the issuer's own: a document that points elsewhere is not believed."""
        path = "/.well-known/openid-configuration"
        reply = await self._client.call(Call(operation="discovery", path=path, is_fault=fault_unless()))
        found = self._read("discovery", reply, Metadata)
        if found.issuer != self.issuer:
            raise self._odd("discovery", "it names another issuer")
        for address in (found.authorization_endpoint, found.token_endpoint, found.userinfo_endpoint, found.jwks_uri):
            self._below(address)
        return found

    async def keys(self, metadata: Metadata) -> Sequence[Mapping[str, Any]]:
        path = self._below(metadata.jwks_uri)
        reply = await self._client.call(Call(operation="keys", path=path, is_fault=fault_unless()))
        return self._read("keys", reply, dict[str, list[dict[str, Any]]]).get("keys", [])

    async def tokens(self, metadata: Metadata, code: str, redirect_uri: str, code_verifier: str) -> Tokens:
        """Raises AgencyRejected where it will not take the code, OutcomeUnknown where the answer was lost."""
        form = (
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", code_verifier),
            ("client_id", self.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", self.key.assertion(self.client_id, self.issuer)),
        )
        path = self._below(metadata.token_endpoint)
        call = Call(operation="token", method="POST", path=path, form=form, is_fault=fault_unless(400))
        reply = await self._client.call(call)
        if reply.status == 400:
            raise AgencyRejected(self._name, "token", _error_of(reply), code="code_refused")
        return self._read("token", reply, Tokens)

    async def userinfo(self, metadata: Metadata, access_token: str) -> Mapping[str, Any]:
        path = self._below(metadata.userinfo_endpoint)
        headers = {"Authorization": f"Bearer {access_token}"}
        call = Call(operation="userinfo", path=path, headers=headers, is_fault=fault_unless())
        reply = await self._client.call(call)
        return self._read("userinfo", reply, dict[str, Any])

    def _below(self, address: str) -> str:
        """The path below the issuer. Raises AgencyUnavailable for any other address: it would be asked from inside."""
        path = address.removeprefix(self.issuer)
        if path == address or not _BELOW.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
            raise self._odd("discovery", "an address that is not below the issuer")
        return path

    def _read(self, operation: str, reply: Reply, kind: type[T]) -> T:
        if reply.status != 200:
            raise self._odd(operation, f"HTTP {reply.status}")
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._odd(operation, "not understood") from None

    def _odd(self, operation: str, detail: str) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, operation, detail, code="not_understood")


def _thumbprint(public: Mapping[str, str]) -> str:
    """RFC 7638."""
    told = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(told.encode()).digest()).rstrip(b"=").decode()


def _error_of(reply: Reply) -> str:
    """The standard's word for a refusal; never what was sent."""
    try:
        word = msgspec.json.decode(reply.body, type=dict[str, Any]).get("error", "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        word = ""
    return word if isinstance(word, str) and re.fullmatch(r"[a-z_]{1,40}", word) else "refused"

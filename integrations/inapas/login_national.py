"""Proof of identity by INApas: the browser is sent there, and what it brings back is proven before it is believed."""

import hmac
import re
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt

from app.agency_client import AgencyClient
from app.errors import AgencyRejected
from app.login.port import NationalIdentity, NationalPort, NationalReturn, NationalStart
from app.settings import SettingsError
from integrations.inapas.client import InapasClient, Metadata

LEEWAY_S = 60
# An id token is made for this very login: an older one is somebody's kept one.
OLDEST_S = 600
# Long enough for a citizen to log in there; then it is asked anew.
METADATA_S = 900
_ALGORITHMS = frozenset({"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"})
_NIK = re.compile(r"[0-9]{16}")
_LONGEST = 200


class InapasIdentity(NationalPort):
    """Keeps what discovery and keys said for a while, and nothing of a citizen."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._settings = client.backend.settings
        self._client = InapasClient(client)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._title = client.manifest.title
        _refuse_plain(self._name, self._client.issuer)

    @property
    def provider(self) -> str:
        return self._name

    @property
    def title(self) -> str:
        return self._title

    @property
    def public_keys(self) -> Sequence[Mapping[str, str]]:
        return [self._client.key.public]

    async def begin(self, start: NationalStart) -> str:
        """Asked anew each time: where it is down, the citizen is told before they leave."""
        metadata = await self._client.metadata()
        self._metadata = (time.monotonic(), metadata)
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": start.redirect_uri,
            "scope": self._settings["scope"],
            "state": start.state,
            "nonce": start.nonce,
            "code_challenge": start.code_challenge,
            "code_challenge_method": "S256",
            "max_age": "300",
        }
        return f"{metadata.authorization_endpoint}?{urlencode(asked)}"

    async def finish(self, back: NationalReturn) -> NationalIdentity:
        metadata = await self._known_metadata()
        # A code of another provider, sent here by a confused or lying one, is not carried to this one (RFC 9207).
        missing = back.issuer is None and metadata.authorization_response_iss_parameter_supported
        if missing or back.issuer not in (None, metadata.issuer):
            raise self._refused("another issuer answered", "issuer_other")
        tokens = await self._client.tokens(metadata, back.code, back.redirect_uri, back.code_verifier)
        if tokens.token_type.lower() != "bearer":
            raise self._refused("not a bearer token", "token_invalid")
        claims = await self._proven(metadata, tokens.id_token, back.nonce)
        told = await self._client.userinfo(metadata, tokens.access_token)
        if told.get("sub") != claims["sub"]:
            raise self._refused("userinfo is of another subject", "token_invalid")
        return self._identity(claims["sub"], {**claims, **told})

    async def _known_metadata(self) -> Metadata:
        if self._metadata is None or time.monotonic() - self._metadata[0] > METADATA_S:
            self._metadata = (time.monotonic(), await self._client.metadata())
        return self._metadata[1]

    async def _proven(self, metadata: Metadata, token: str, nonce: str) -> Mapping[str, Any]:
        """The id token's claims (OpenID Connect Core, 3.1.3.7). Raises AgencyRejected."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(metadata, str(header.get("kid", "")))
            decoded: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._client.client_id,
                issuer=metadata.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise self._refused(f"id token: {type(error).__name__}", "token_invalid") from None
        audience = decoded["aud"]
        alone = audience == self._client.client_id or decoded.get("azp") == self._client.client_id
        fresh = time.time() - decoded["iat"] <= OLDEST_S
        same = hmac.compare_digest(str(decoded["nonce"]).encode(), nonce.encode())
        if not (alone and fresh and same and isinstance(decoded["sub"], str) and 0 < len(decoded["sub"]) <= _LONGEST):
            raise self._refused("id token: not made for this login", "token_invalid")
        return decoded

    async def _key(self, metadata: Metadata, kid: str) -> jwt.PyJWK:
        """Looked up again where it is unknown. Each key is for its own algorithm; a header chooses among keys only."""
        if kid not in self._keys:
            found = [key for each in await self._client.keys(metadata) if (key := _readable(each)) is not None]
            self._keys = {key.key_id or "": key for key in found}
        key = self._keys.get(kid)
        if key is None or key.algorithm_name not in _ALGORITHMS:
            raise self._refused("id token: no such key", "token_invalid")
        return key

    def _identity(self, subject: str, claims: Mapping[str, Any]) -> NationalIdentity:
        nik, name, born = (claims.get(self._settings[f"claim_{each}"]) for each in ("nik", "name", "birth_date"))
        try:
            birth_date = date.fromisoformat(str(born))
        except ValueError:
            raise self._refused("no birth date", "identity_incomplete") from None
        if not (isinstance(nik, str) and _NIK.fullmatch(nik) and isinstance(name, str) and 0 < len(name) <= _LONGEST):
            raise self._refused("no NIK or no name", "identity_incomplete")
        return NationalIdentity(subject, nik, name, birth_date)

    def _refused(self, detail: str, code: str) -> AgencyRejected:
        return AgencyRejected(self._name, "token", detail, code=code)


def _readable(key: Mapping[str, Any]) -> jwt.PyJWK | None:
    """None for a key of a kind we do not use: others of the set may still be good."""
    try:
        return jwt.PyJWK.from_dict(dict(key)) if key.get("use", "sig") == "sig" else None
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


def _refuse_plain(name: str, issuer: str) -> None:
    """Who a citizen is comes over TLS, but from a sandbox on this machine."""
    parts = urlsplit(issuer)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise SettingsError(f"LOKET_{name.upper()}_URL must begin with https://")

"""Access tokens (RFC 9068): signed for five minutes, verified strictly, remembered by digest until they end."""

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import jwt
import msgspec
from jwt.utils import base64url_decode

from app.errors import Unauthenticated
from app.ids import uuid7
from app.login.keys import ALGORITHM, KeyRing

ACCESS_TOKEN_S = 300
LEEWAY_S = 30
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
_MOST_REMEMBERED = 20_000
_LONGEST_TOKEN = 2_048
_WRITTEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REQUIRED = ("iss", "aud", "sub", "sid", "acr", "iat", "exp", "jti")


class Claims(msgspec.Struct, frozen=True):
    """What a verified token says; `kid` is the key that proved it. `ends_s`: when it ends, leeway included, by the
    monotonic clock: once it was read, no step of the time of day ends it early or lets it live on."""

    citizen_id: UUID
    session_id: UUID
    assurance_level: int
    ends_s: float
    kid: str


class Expected(msgspec.Struct, frozen=True):
    """What a token must say to be believed somewhere, and how long one of that kind lives at most."""

    issuer: str
    audience: str
    claims: Sequence[str]
    longest_s: int


class Decoded(msgspec.Struct, frozen=True):
    """The claims of a token whose signature, times, issuer and audience hold; `kid` the key that proved it."""

    claims: dict[str, Any]
    kid: str


class _Payload(msgspec.Struct, frozen=True):
    """The claims' own forms; a token of ours has no others."""

    sub: UUID
    sid: UUID
    acr: Literal["1", "2", "3"]
    exp: int


class _Times(msgspec.Struct, frozen=True):
    iat: int
    exp: int


class AccessTokens:
    """Signs and verifies for one issuer. The audience is our own API."""

    def __init__(self, keys: KeyRing, issuer: str) -> None:
        self._keys = keys
        self._expected = Expected(issuer, f"{issuer}/v1", _REQUIRED, ACCESS_TOKEN_S)
        self._remembered: OrderedDict[bytes, Claims] = OrderedDict()

    def issue(self, citizen_id: UUID, session_id: UUID, assurance_level: int, *, life_s: int = ACCESS_TOKEN_S) -> str:
        """`life_s`: less than usual where the level is only for a while."""
        now = int(time.time())
        payload = {
            "iss": self._expected.issuer,
            "aud": self._expected.audience,
            "sub": str(citizen_id),
            "sid": str(session_id),
            "acr": str(assurance_level),
            "iat": now,
            "exp": now + min(life_s, ACCESS_TOKEN_S),
            "jti": uuid7().hex,
        }
        signer = self._keys.signer
        return jwt.encode(payload, signer.key, ALGORITHM, headers={"kid": signer.kid, "typ": TOKEN_TYPE})

    async def verify(self, token: str) -> Claims:
        """Raises Unauthenticated (token_invalid, token_expired)."""
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._remembered.get(digest)
        if claims is not None and self._keys.known(claims.kid):
            self._remembered.move_to_end(digest)
            if claims.ends_s <= time.monotonic():
                raise Unauthenticated("token_expired")
            return claims
        claims = await self._read(token)
        self._remembered[digest] = claims
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return claims

    async def _read(self, token: str) -> Claims:
        found = await decoded(self._keys, token, self._expected)
        try:
            payload = msgspec.convert(found.claims, _Payload)
        except msgspec.ValidationError:
            raise Unauthenticated("token_invalid") from None
        ends_s = time.monotonic() + payload.exp + LEEWAY_S - time.time()
        return Claims(payload.sub, payload.sid, int(payload.acr), ends_s, found.kid)


async def decoded(keys: KeyRing, token: str, expected: Expected) -> Decoded:
    """Read a token of ours strictly. Raises Unauthenticated (token_invalid, token_expired)."""
    if len(token) > _LONGEST_TOKEN:
        raise Unauthenticated("token_invalid")
    try:
        _refuse_ambiguous(token)
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM or not isinstance(kid, str):
            raise Unauthenticated("token_invalid")
        key = await keys.find(kid)
        if key is None:
            raise Unauthenticated("token_invalid")
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=expected.audience,
            issuer=expected.issuer,
            leeway=LEEWAY_S,
            options={"require": list(expected.claims), "strict_aud": True},
        )
        times = msgspec.convert(claims, _Times)
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("token_expired") from None
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
        raise Unauthenticated("token_invalid") from None
    if times.exp - times.iat > expected.longest_s:
        raise Unauthenticated("token_invalid")
    return Decoded(claims, kid)


def _refuse_ambiguous(token: str) -> None:
    """A name that stands twice, or signs outside the alphabet, would be read one way here and another way elsewhere.

    Raises ValueError.
    """
    if not _WRITTEN.fullmatch(token):
        raise ValueError("not three parts in base64url")
    for part in token.split(".")[:2]:
        json.loads(base64url_decode(part), object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found

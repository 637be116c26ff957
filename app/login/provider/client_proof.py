"""How a client proves itself at our endpoints: its secret in the Authorization header, or a signed assertion."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import jwt
import msgspec
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.provider.clients import ASSERTION_ALGORITHMS, Registered, find_client, hash_of
from app.login.provider.models import ClientAssertion

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# The longest an assertion may count (libraries say an hour unasked; each is good once anyway), and how far clocks may
# be apart.
ASSERTION_S = 3_600
LEEWAY_S = 30
_LONGEST = 4_000
# Of a secret nobody has: an unknown client is told no in the same way as a wrong secret.
_NOBODYS = hash_of("")


class OAuthError(Exception):
    """A refusal as RFC 6749, 5.2 has it. What the request has written is rolled back."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class _Assertion(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | Sequence[str]
    jti: str
    exp: int


async def proven_client(
    session: AsyncSession, authorization: str, form: Mapping[str, str], audiences: Sequence[str]
) -> Registered:
    """The client that sent a request, by the one method it is registered for. Raises OAuthError."""
    has_assertion = "client_assertion" in form or "client_assertion_type" in form
    if "client_secret" in form or (authorization and has_assertion):
        raise OAuthError("invalid_request", "one proof, and never the secret in the body")
    if has_assertion:
        client = await _by_assertion(session, form, audiences)
    else:
        client = await _by_secret(session, authorization)
    if form.get("client_id", client.id) != client.id:
        raise OAuthError("invalid_request", "client_id is another's")
    return client


async def _by_secret(session: AsyncSession, authorization: str) -> Registered:
    name, secret = _basic(authorization)
    client = await find_client(session, name)
    expected = client.secret_hash if client and client.auth_method == "client_secret_basic" else None
    is_right = hmac.compare_digest(expected or _NOBODYS, hash_of(secret))
    if client is None or expected is None or not is_right:
        raise _refused()
    return client


async def _by_assertion(session: AsyncSession, form: Mapping[str, str], audiences: Sequence[str]) -> Registered:
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not 0 < len(assertion) <= _LONGEST:
        raise _refused()
    try:
        header = jwt.get_unverified_header(assertion)
        unproven = jwt.decode(assertion, options={"verify_signature": False})
        client = await find_client(session, str(unproven.get("sub", "")))
        if client is None or client.auth_method != "private_key_jwt":
            raise _refused()
        claims = _verified(assertion, header, client, audiences)
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError):
        raise _refused() from None
    if claims.exp - time.time() > ASSERTION_S + LEEWAY_S or not 0 < len(claims.jti) <= 255:
        raise _refused()
    await _use_once(session, client, claims)
    return client


def _verified(assertion: str, header: Mapping[str, Any], client: Registered, audiences: Sequence[str]) -> _Assertion:
    """By one of the client's own keys, and the algorithm that key is for: what the header says chooses nothing else."""
    keys = [jwt.PyJWK.from_dict(dict(key)) for key in client.public_keys]
    named = [key for key in keys if header.get("kid") in (None, key.key_id)]
    for key in named:
        if key.algorithm_name not in ASSERTION_ALGORITHMS:
            continue
        try:
            decoded = jwt.decode(
                assertion,
                key,
                algorithms=[key.algorithm_name],
                audience=list(audiences),
                issuer=client.id,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "jti", "exp"]},
            )
        except jwt.InvalidSignatureError:
            continue
        claims = msgspec.convert(decoded, _Assertion)
        aimed_at = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        # An assertion that names somebody else too could be sent on by them.
        if not set(aimed_at) <= set(audiences):
            raise _refused()
        return claims
    raise _refused()


async def _use_once(session: AsyncSession, client: Registered, claims: _Assertion) -> None:
    digest = hashlib.sha256(f"{client.id}\0{claims.jti}".encode()).digest()
    expires_at = datetime.fromtimestamp(claims.exp + LEEWAY_S, UTC)
    kept = await session.scalar(
        insert(ClientAssertion)
        .values(jti_hash=digest, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(ClientAssertion.expires_at)
    )
    if kept is None:
        raise _refused()


def _basic(authorization: str) -> tuple[str, str]:
    """Client id and secret, each form-encoded first (RFC 6749, 2.3.1). Raises OAuthError."""
    scheme, _, given = authorization.partition(" ")
    try:
        pair = base64.b64decode(given.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pair = ""
    name, colon, secret = pair.partition(":")
    if not colon or len(pair) > _LONGEST:
        raise _refused()
    return unquote_plus(name), unquote_plus(secret)


def _refused() -> OAuthError:
    """The same for an unknown client, another method and a wrong proof."""
    return OAuthError("invalid_client", "the client did not prove itself", 401)

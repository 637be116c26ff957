"""What we sign for clients: id tokens and logout tokens. And what comes back of it: id_token_hint."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
import msgspec

from app.ids import uuid7
from app.login.gate import Gate
from app.login.keys import ALGORITHM
from app.login.provider.clients import Registered
from app.login.provider.subjects import session_name, subject

ID_TOKEN_S = 600
LOGOUT_TOKEN_S = 120
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LONGEST_HINT = 4_000


class About(msgspec.Struct, frozen=True):
    """What an id token says of a login."""

    citizen_id: UUID
    session_id: UUID
    assurance_level: int
    authenticated_at: datetime
    nonce: str


class Hint(msgspec.Struct, frozen=True):
    """An id token of ours that came back. It may have expired: it only says who, at which client, in which session."""

    sub: str
    aud: str
    sid: str


def id_token(gate: Gate, client: Registered, about: About) -> str:
    """Nothing personal stands in it: browsers and logs see it."""
    now = int(time.time())
    claims = {
        "iss": gate.issuer,
        "sub": subject(gate.vault, client.sector, about.citizen_id),
        "aud": client.id,
        "iat": now,
        "exp": now + ID_TOKEN_S,
        "auth_time": int(about.authenticated_at.timestamp()),
        "acr": str(about.assurance_level),
        "sid": session_name(gate.vault, client.id, about.session_id),
        **({"nonce": about.nonce} if about.nonce else {}),
    }
    return _signed(gate, claims, "JWT")


def logout_token(gate: Gate, client: Registered, citizen_id: UUID, session_id: UUID) -> str:
    """OpenID Connect Back-Channel Logout 1.0, 2.4."""
    now = int(time.time())
    claims = {
        "iss": gate.issuer,
        "sub": subject(gate.vault, client.sector, citizen_id),
        "aud": client.id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_S,
        "jti": uuid7().hex,
        "sid": session_name(gate.vault, client.id, session_id),
        "events": {LOGOUT_EVENT: {}},
    }
    return _signed(gate, claims, "logout+jwt")


async def read_hint(gate: Gate, token: str) -> Hint | None:
    """Whose id token of ours it is; None where it is none."""
    if not token or len(token) > _LONGEST_HINT:
        return None
    try:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("typ") != "JWT" or not isinstance(kid, str):
            return None
        key = await gate.keys.find(kid)
        if key is None:
            return None
        options: Any = {"verify_exp": False, "verify_aud": False, "require": ["sub", "aud", "sid", "auth_time"]}
        decoded = jwt.decode(token, key, algorithms=[ALGORITHM], issuer=gate.issuer, options=options)
        return msgspec.convert(decoded, Hint)
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError):
        return None


def _signed(gate: Gate, claims: Mapping[str, object], kind: str) -> str:
    signer = gate.keys.signer
    return jwt.encode(dict(claims), signer.key, ALGORITHM, headers={"kid": signer.kid, "typ": kind})

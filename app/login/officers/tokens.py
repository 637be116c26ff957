"""Officers' access tokens: signed as citizens' are, for another audience: neither opens the other's routes."""

import time
from uuid import UUID

import jwt
import msgspec

from app.errors import Unauthenticated
from app.ids import uuid7
from app.login.keys import ALGORITHM, KeyRing
from app.login.tokens import TOKEN_TYPE, Expected, decoded

# As long as a session may lie idle. Every request looks at the session as well, so that an ended one ends at once.
OFFICER_TOKEN_S = 30 * 60


class _Payload(msgspec.Struct, frozen=True):
    """The claims' own forms."""

    sub: UUID
    sid: UUID


class OfficerTokens:
    """Signs and verifies for one issuer. The audience is the officers' part of our API."""

    def __init__(self, keys: KeyRing, issuer: str) -> None:
        self._keys = keys
        self._expected = Expected(
            issuer, f"{issuer}/v1/officer", ("iss", "aud", "sub", "sid", "iat", "exp", "jti"), OFFICER_TOKEN_S
        )

    def issue(self, officer_id: UUID, session_id: UUID) -> str:
        now = int(time.time())
        payload = {
            "iss": self._expected.issuer,
            "aud": self._expected.audience,
            "sub": str(officer_id),
            "sid": str(session_id),
            "iat": now,
            "exp": now + OFFICER_TOKEN_S,
            "jti": uuid7().hex,
        }
        signer = self._keys.signer
        return jwt.encode(payload, signer.key, ALGORITHM, headers={"kid": signer.kid, "typ": TOKEN_TYPE})

    async def session_of(self, token: str) -> UUID:
        """The session a token stands for. Raises Unauthenticated (token_invalid, token_expired)."""
        try:
            return msgspec.convert((await decoded(self._keys, token, self._expected)).claims, _Payload).sid
        except msgspec.ValidationError:
            raise Unauthenticated("token_invalid") from None

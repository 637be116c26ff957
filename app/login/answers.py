"""Tokens as clients get them."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET

from app.database import utc_now
from app.login.gate import Gate
from app.login.schemas import Tokens
from app.login.sessions import Opened
from app.login.tokens import ACCESS_TOKEN_S

BEARER: Literal["Bearer"] = "Bearer"


def tokens_of(gate: Gate, opened: Opened) -> Tokens:
    life_s = life_of(opened.raised_until)
    return Tokens(
        access_token=gate.tokens.issue(opened.citizen_id, opened.session_id, opened.assurance_level, life_s=life_s),
        token_type=BEARER,
        expires_in=life_s,
        refresh_token=opened.refresh_token,
        refresh_expires_in=max(0, int((opened.refresh_expires_at - utc_now()).total_seconds())),
        assurance_level=opened.assurance_level,
        device_token=opened.device_token or UNSET,
    )


def life_of(raised_until: datetime | None) -> int:
    """Seconds of an access token: a level that holds for a while is in none that outlives it."""
    if raised_until is None:
        return ACCESS_TOKEN_S
    return min(ACCESS_TOKEN_S, max(1, int((raised_until - utc_now()).total_seconds())))

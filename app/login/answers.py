"""Tokens as clients get them."""

from app.database import utc_now
from app.login.gate import Gate
from app.login.schemas import Tokens
from app.login.sessions import Opened
from app.login.tokens import ACCESS_TOKEN_S


def tokens_of(gate: Gate, opened: Opened) -> Tokens:
    """A level that holds for a while is in no token that outlives it."""
    now = utc_now()
    life_s = ACCESS_TOKEN_S
    if opened.raised_until is not None:
        life_s = min(life_s, int((opened.raised_until - now).total_seconds()))
    return Tokens(
        access_token=gate.tokens.issue(opened.citizen_id, opened.session_id, opened.assurance_level, life_s=life_s),
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_in=life_s,
        refresh_token=opened.refresh_token,
        refresh_expires_in=max(0, int((opened.refresh_expires_at - now).total_seconds())),
        assurance_level=opened.assurance_level,
    )

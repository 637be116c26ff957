"""A form that came when its officer's session was over: sealed, it goes through the login with its browser and back.

Nothing of it stays with us, and nobody can read it there: only the same officer, logged in again soon, gets it back,
and looks at it once more before it is sent.
"""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request

from app.database import utc_now
from app.errors import Forbidden
from app.login.gate import Gate
from app.login.officers.browsers import SESSION, check_form, sent_fields
from app.login.officers.sessions import cookie_hash
from app.pages.forms import Fields
from app.privacy import CannotDecrypt

# Long enough to find the authenticator; a form of yesterday is no longer about what is there today.
KEPT = timedelta(hours=1)
LONGEST = 40_000
_CONTEXT = "officers.interrupted"
_WHOSE = "SELECT officer_id FROM officer_sessions WHERE cookie_hash = $1 AND kind = 'page'"
_OFFICER = "interrupted"


class Interrupted(msgspec.Struct, frozen=True):
    """Whose form, where it was going, what stood in it, and when."""

    officer_id: UUID
    path: str
    fields: Fields
    at: datetime


async def note_interrupted(request: Request[Any, Any, Any], gate: Gate, cookie: str) -> None:
    """Remember whose form of ours this is, whose session is over; nothing for what is no form of ours."""
    try:
        await check_form(request, gate, SESSION)
    except Forbidden:
        return
    rows = await gate.database.fetch(_WHOSE, cookie_hash(cookie))
    if rows:
        request.scope["state"][_OFFICER] = rows[0]["officer_id"]


def sealed(request: Request[Any, Any, Any], gate: Gate) -> str:
    """The form, for a hidden field of the login page; "" where there is none worth it."""
    officer_id, fields = request.scope["state"].get(_OFFICER), sent_fields(request)
    if officer_id is None or not fields:
        return ""
    form = Interrupted(officer_id, request.url.path, fields, utc_now())
    kept = base64.urlsafe_b64encode(gate.vault.encrypt(msgspec.json.encode(form), _CONTEXT)).decode()
    return kept if len(kept) <= LONGEST else ""


def unsealed(gate: Gate, kept: str, officer_id: UUID) -> Interrupted | None:
    """The form again, for its officer alone, and while it is fresh."""
    try:
        form = msgspec.json.decode(gate.vault.decrypt(base64.urlsafe_b64decode(kept), _CONTEXT), type=Interrupted)
    except (binascii.Error, ValueError, CannotDecrypt):
        return None
    return form if form.officer_id == officer_id and form.at > utc_now() - KEPT else None

"""Where officers are logged in: 30 minutes unused or 12 hours in all end it. Asked of the database every time."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, utc_now
from app.ids import uuid7
from app.login.guards import Officer
from app.login.officers.models import OfficerSession, SessionKind
from app.privacy import Vault
from app.texts import Language

IDLE_S = 30 * 60
LONGEST_S = 12 * 3600
# Use is noted this coarsely: most requests then only read.
_NOTED_EVERY_S = 60

EndReason = Literal["logout", "ended_by_officer", "disabled", "recovery", "replaced"]

_LIVING = f"""
WITH found AS (
    SELECT s.id, s.last_used_at, o.id AS officer_id, o.name, o.agency, o.role, o.language
    FROM officer_sessions s JOIN officers o ON o.id = s.officer_id
    WHERE s.{{key}} = $1 AND s.kind = $2 AND s.revoked_at IS NULL AND s.expires_at > now()
      AND s.last_used_at > now() - interval '{IDLE_S} seconds' AND o.state = 'active'
), noted AS (
    UPDATE officer_sessions s SET last_used_at = now() FROM found
    WHERE s.id = found.id AND found.last_used_at < now() - interval '{_NOTED_EVERY_S} seconds'
)
SELECT officer_id, name, agency, role, id, language FROM found
"""  # noqa: S608 - constants of ours
_BY_ID = _LIVING.format(key="id")
_BY_COOKIE = _LIVING.format(key="cookie_hash")


class Place(msgspec.Struct, frozen=True):
    """Where somebody logs in from."""

    device_name: str
    address: str


class Opened(msgspec.Struct, frozen=True):
    """A session; `cookie` is what pages keep of it, known in the clear to its browser alone."""

    session_id: UUID
    officer_id: UUID
    cookie: str


def open_officer_session(
    session: AsyncSession, vault: Vault, officer_id: UUID, kind: SessionKind, place: Place
) -> Opened:
    """A new session of an officer who has just proven who they are, in the caller's transaction."""
    cookie = secrets.token_urlsafe(32) if kind == "page" else ""
    opened = OfficerSession(
        id=uuid7(),
        officer_id=officer_id,
        kind=kind,
        cookie_hash=cookie_hash(cookie) if cookie else None,
        device_name=place.device_name,
        address_index=vault.index("address", place.address),
        expires_at=utc_now() + timedelta(seconds=LONGEST_S),
    )
    session.add(opened)
    return Opened(opened.id, officer_id, cookie)


async def end_officer_sessions(session: AsyncSession, where: ColumnElement[bool], because: EndReason) -> Sequence[UUID]:
    """End the living sessions that `where` selects; their ids."""
    ended = await session.scalars(
        update(OfficerSession)
        .where(where, OfficerSession.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_because=because)
        .returning(OfficerSession.id)
        .execution_options(synchronize_session=False)
    )
    return ended.all()


async def living_by_id(database: Database, session_id: UUID) -> Officer | None:
    """Whose token session this is, as the account stands now."""
    return _officer(await database.fetch(_BY_ID, session_id, "token"))


async def living_by_cookie(database: Database, cookie: str) -> Officer | None:
    """Whose page session this cookie holds."""
    return _officer(await database.fetch(_BY_COOKIE, cookie_hash(cookie), "page"))


def cookie_hash(cookie: str) -> bytes:
    """256 random bits need no slow hash and no key."""
    return hashlib.sha256(cookie.encode()).digest()


def _officer(rows: Sequence[Mapping[str, Any]]) -> Officer | None:
    if not rows:
        return None
    row = rows[0]
    language: Language = "en" if row["language"] == "en" else "id"
    return Officer("officer", row["officer_id"], row["name"], row["agency"], row["role"], row["id"], language)

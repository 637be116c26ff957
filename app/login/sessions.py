"""Logged-in devices and their refresh tokens: rotation, one honest retry, the end of a stolen family."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.ids import uuid7
from app.login.models import SUCCESSOR, Citizen, RefreshToken, Session
from app.privacy import Vault

# A device unused for this long must log in again; one used every day must once in this long.
IDLE_S = 30 * 86_400
LONGEST_S = 90 * 86_400
# A client that lost the answer has this long to ask again, once, with the token it still holds.
RETRY_WINDOW_S = 60
# What was just proven by a passkey counts for level 3, and what was just proven at all for changing what one logs in
# with, this long. A token whose level would fall within the last seconds is given the lower one at once.
RAISED_S = 600
_SHORTEST_RAISE_S = 15
IDENTIFIED, STRONG = 2, 3

EndReason = Literal[
    "logout",
    "ended_by_citizen",
    "refresh_replayed",
    "nik_proven_by_another",
    "identity_proven",
    "password_changed",
    "password_recovered",
    "data_deleted",
]
Proof = Literal["otp", "passkey"]
RefreshRefusal = Literal["token_invalid", "token_expired", "session_revoked"]


class Opened(msgspec.Struct, frozen=True):
    """A session and the refresh token that continues it. `raised_until`: then the level falls to the citizen's own."""

    session_id: UUID
    citizen_id: UUID
    assurance_level: int
    refresh_token: str
    refresh_expires_at: datetime
    device_token: str = ""
    raised_until: datetime | None = None


class Proven(msgspec.Struct, frozen=True):
    """What a session counts for after a proof."""

    assurance_level: int
    raised_until: datetime | None


class Refused(msgspec.Struct, frozen=True):
    """Why a refresh token continues nothing. `revoked`: the session this replay ended."""

    code: RefreshRefusal
    revoked: UUID | None = None
    citizen_id: UUID | None = None


async def open_session(
    session: AsyncSession, citizen_id: UUID, assurance_level: int, device_name: str, network: str = ""
) -> Opened:
    """A new device of a citizen who has just proven who they are."""
    now = utc_now()
    opened = Session(
        id=uuid7(),
        citizen_id=citizen_id,
        assurance_level=assurance_level,
        device_name=device_name,
        network=network,
        expires_at=now + timedelta(seconds=LONGEST_S),
    )
    session.add(opened)
    await session.flush()
    token, raw = _new_token(opened.id, opened.expires_at)
    session.add(token)
    return Opened(opened.id, citizen_id, assurance_level, raw, token.expires_at)


async def continue_session(session: AsyncSession, vault: Vault, raw: str, network: str = "") -> Opened | Refused:
    """Rotate a refresh token. The caller's transaction must commit also when this refuses: a replay ends the family."""
    now = utc_now()
    token = await session.scalar(select(RefreshToken).where(RefreshToken.token_hash == _hash(raw)).with_for_update())
    if token is None:
        return Refused("token_invalid")
    if token.used_at is not None:
        return await _replayed(session, vault, token, network)
    if token.expires_at <= now:
        return Refused("token_expired")
    living = await _touch(session, token.session_id, network)
    if living is None:
        return Refused("session_revoked")
    successor, successor_raw = _new_token(living.id, living.expires_at)
    session.add(successor)
    await session.flush()
    token.used_at = now
    token.successor_id = successor.id
    token.successor_enc = vault.encrypt(successor_raw.encode(), SUCCESSOR)
    return _opened(living, successor_raw, successor.expires_at)


async def end_sessions(session: AsyncSession, where: ColumnElement[bool], because: EndReason) -> Sequence[UUID]:
    """End the living sessions that `where` selects; their ids, to be announced after the commit."""
    ended = await session.scalars(
        update(Session)
        .where(where, Session.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_because=because)
        .returning(Session.id)
        .execution_options(synchronize_session=False)
    )
    return ended.all()


async def prove_session(session: AsyncSession, session_id: UUID, proof: Proof | Literal["national"]) -> Proven | None:
    """Its citizen has just proven themselves once more. None where it has ended.

    A passkey or the national identity proves that the one who was identified is here again, so it raises whoever is
    identified to STRONG, for a while. Of somebody whose identity nobody has proven a passkey says no more than a code.
    """
    raised = {"raised_until": func.now() + timedelta(seconds=RAISED_S)} if proof != "otp" else {}
    row = await _update_living(session, session_id, {"proved_at": func.now(), **raised})
    return Proven(*_counting(row)) if row else None


async def just_proven(session: AsyncSession, session_id: UUID) -> bool:
    """Whether its citizen logged in on it, or stepped up, within the last RAISED_S."""
    since = func.now() - timedelta(seconds=RAISED_S)
    found = select(Session.id).where(Session.id == session_id, Session.proved_at > since)
    return await session.scalar(found) is not None


def counting_level(own: int, raised_until: datetime | None, now: datetime) -> int:
    """The level of a session of a citizen whose own level is `own`."""
    raised = raised_until is not None and raised_until - now >= timedelta(seconds=_SHORTEST_RAISE_S)
    return STRONG if raised and own >= IDENTIFIED else own


class _Living(msgspec.Struct, frozen=True):
    id: UUID
    citizen_id: UUID
    assurance_level: int
    expires_at: datetime
    raised_until: datetime | None


async def _replayed(session: AsyncSession, vault: Vault, token: RefreshToken, network: str) -> Opened | Refused:
    """A used token came again: the one honest retry gets the same successor, anything else ends the session."""
    now = utc_now()
    successor = await session.get(RefreshToken, token.successor_id) if token.successor_id else None
    honest = (
        successor is not None
        and successor.used_at is None
        and token.successor_enc is not None
        and token.retried_at is None
        and token.used_at is not None
        and now - token.used_at <= timedelta(seconds=RETRY_WINDOW_S)
    )
    if not honest:
        return await _ended_as_stolen(session, token.session_id)
    living = await _touch(session, token.session_id, network)
    if living is None or successor is None or token.successor_enc is None:
        return Refused("session_revoked")
    token.retried_at = now
    raw = vault.decrypt(token.successor_enc, SUCCESSOR).decode()
    return _opened(living, raw, successor.expires_at)


async def _ended_as_stolen(session: AsyncSession, session_id: UUID) -> Refused:
    ended = await end_sessions(session, Session.id == session_id, "refresh_replayed")
    if not ended:
        return Refused("session_revoked")
    owner = await session.scalar(select(Session.citizen_id).where(Session.id == session_id))
    return Refused("session_revoked", ended[0], owner)


async def _touch(session: AsyncSession, session_id: UUID, network: str) -> _Living | None:
    """Note the use of a living session. Its level is the citizen's of now: a register may have matched since."""
    place = {"network": network} if network else {}
    return await _update_living(session, session_id, {"last_used_at": func.now(), **place})


async def _update_living(session: AsyncSession, session_id: UUID, values: Mapping[str, Any]) -> _Living | None:
    row = (
        await session.execute(
            update(Session)
            .where(
                Session.id == session_id,
                Session.revoked_at.is_(None),
                Session.expires_at > func.now(),
                Citizen.id == Session.citizen_id,
            )
            .values(assurance_level=Citizen.assurance_level, **values)
            .returning(
                Session.id, Session.citizen_id, Session.assurance_level, Session.expires_at, Session.raised_until
            )
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    return _Living(*row) if row else None


def _opened(living: _Living, raw: str, expires_at: datetime) -> Opened:
    level, raised_until = _counting(living)
    return Opened(living.id, living.citizen_id, level, raw, expires_at, raised_until=raised_until)


def _counting(living: _Living) -> tuple[int, datetime | None]:
    """The session's level now, and until when, where that is above the citizen's own."""
    level = counting_level(living.assurance_level, living.raised_until, utc_now())
    return level, living.raised_until if level > living.assurance_level else None


def _new_token(session_id: UUID, ends_at: datetime) -> tuple[RefreshToken, str]:
    raw = secrets.token_urlsafe(32)
    expires_at = min(utc_now() + timedelta(seconds=IDLE_S), ends_at)
    return RefreshToken(id=uuid7(), session_id=session_id, token_hash=_hash(raw), expires_at=expires_at), raw


def _hash(raw: str) -> bytes:
    """256 random bits need no slow hash and no key."""
    return hashlib.sha256(raw.encode()).digest()

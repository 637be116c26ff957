"""Codes and the tokens they are exchanged for: used once, rotated, ended together when one comes a second time."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.database import utc_now
from app.login.models import Session
from app.login.provider.browsers import LoggedIn
from app.login.provider.clients import Registered, hash_of
from app.login.provider.models import Authorization, Client, ClientToken, Grant
from app.login.provider.requests import AuthorizationRequest
from app.login.provider.subjects import told
from app.privacy import Vault

CODE_S = 60
ACCESS_TOKEN_S = 300
REFRESH_TOKEN_S = 30 * 86_400
RETRY_WINDOW_S = 60


class Refused(msgspec.Struct, frozen=True):
    """Why nothing is given (RFC 6749, 5.2). Whoever asked must commit: what came a second time has ended."""

    error: Literal["invalid_grant", "invalid_scope"]
    description: str


class Redemption(msgspec.Struct, frozen=True):
    """A code as a client brings it."""

    code: str
    redirect_uri: str
    code_verifier: str


class Given(msgspec.Struct, frozen=True):
    """Tokens in the clear, known to this answer alone; `nonce` is the request's, for the first id token only."""

    authorization: Authorization
    access_token: str
    refresh_token: str | None
    scopes: Sequence[str]
    nonce: str = ""


class Living(msgspec.Struct, frozen=True):
    """A token that still counts, and whose it is."""

    kind: Literal["access", "refresh"]
    client_id: str
    citizen_id: UUID
    session_id: UUID
    assurance_level: int
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime


async def make_code(session: AsyncSession, request: AuthorizationRequest, login: LoggedIn, grant_id: UUID) -> str:
    """A code for what the citizen has allowed, good for a minute and once."""
    code = secrets.token_urlsafe(32)
    session.add(
        Authorization(
            client_id=request.client.id,
            citizen_id=login.citizen_id,
            session_id=login.session_id,
            grant_id=grant_id,
            scopes=list(request.scopes),
            nonce=request.nonce,
            redirect_uri=request.way.redirect_uri,
            code_hash=hash_of(code),
            code_challenge=request.code_challenge,
            code_expires_at=utc_now() + timedelta(seconds=CODE_S),
            assurance_level=login.assurance_level,
            authenticated_at=login.authenticated_at,
        )
    )
    await session.flush()
    return code


async def redeem(session: AsyncSession, client: Registered, brought: Redemption) -> Given | Refused:
    """Tokens for a code. Any try spends it; a code that comes again, or from another client, ends all it gave."""
    found = await session.scalar(
        select(Authorization).where(Authorization.code_hash == hash_of(brought.code)).with_for_update()
    )
    if found is None:
        return Refused("invalid_grant", "the code is unknown")
    fault = _fault(found, client, brought)
    if not fault and not await _lives(session, found):
        fault = "login or consent behind the code has ended"
    found.code_used_at = found.code_used_at or utc_now()
    if fault:
        found.ended_at = found.ended_at or utc_now()
        return Refused("invalid_grant", fault)
    await _record_login(session, client, found)
    refresh = None
    if "offline_access" in found.scopes:
        refresh = secrets.token_urlsafe(32)
        session.add(_token(found, "refresh", found.scopes, refresh))
    return Given(found, _access_token(session, found, found.scopes), refresh, found.scopes, found.nonce)


async def rotate(
    session: AsyncSession, vault: Vault, client: Registered, raw: str, narrower: Sequence[str]
) -> Given | Refused:
    """New tokens for a refresh token. One honest retry within a minute gets the same successor, as login's do."""
    unknown = Refused("invalid_grant", "the refresh token is unknown, expired or ended")
    token = await session.scalar(select(ClientToken).where(ClientToken.token_hash == hash_of(raw)).with_for_update())
    if token is None or token.kind != "refresh":
        return unknown
    found = await session.get_one(Authorization, token.authorization_id)
    # Made of the token itself, so that a retry finds it again and nothing of it is kept.
    successor = (
        base64.urlsafe_b64encode(vault.lasting_name("client.refresh", f"{token.id}\0{raw}")).rstrip(b"=").decode()
    )
    if found.client_id != client.id or not await _may_continue(session, token, successor):
        found.ended_at = found.ended_at or utc_now()
        return unknown
    if token.expires_at <= utc_now() or not await _lives(session, found):
        return unknown
    if not set(narrower) <= set(found.scopes):
        return Refused("invalid_scope", "more than was granted")
    if token.used_at is None:
        token.used_at = utc_now()
        session.add(_token(found, "refresh", found.scopes, successor))
    else:
        token.retried_at = utc_now()
    scopes = [scope for scope in found.scopes if not narrower or scope in narrower]
    return Given(found, _access_token(session, found, scopes), successor, scopes)


async def read_token(session: AsyncSession, raw: str) -> Living | None:
    """A token of any client that still counts."""
    asked = _living(
        select(
            ClientToken.kind,
            Authorization.client_id,
            Authorization.citizen_id,
            Authorization.session_id,
            Authorization.assurance_level,
            ClientToken.scopes,
            ClientToken.created_at,
            ClientToken.expires_at,
        )
        .join(Authorization, Authorization.id == ClientToken.authorization_id)
        .where(
            ClientToken.token_hash == hash_of(raw),
            ClientToken.used_at.is_(None),
            ClientToken.expires_at > func.now(),
        )
    )
    row = (await session.execute(asked)).one_or_none()
    return Living(*row) if row else None


async def revoke_token(session: AsyncSession, client: Registered, raw: str) -> None:
    """End a client's own token; with a refresh token all that came of its code (RFC 7009, 2.1)."""
    row = (
        await session.execute(
            select(ClientToken, Authorization)
            .join(Authorization, Authorization.id == ClientToken.authorization_id)
            .where(ClientToken.token_hash == hash_of(raw), Authorization.client_id == client.id)
        )
    ).one_or_none()
    if row is None:
        return
    token, found = row
    if token.kind == "refresh":
        found.ended_at = found.ended_at or utc_now()
    else:
        token.used_at = utc_now()


async def end_authorizations(session: AsyncSession, where: ColumnElement[bool]) -> None:
    """End all that `where` selects."""
    await session.execute(
        update(Authorization)
        .where(where, Authorization.ended_at.is_(None))
        .values(ended_at=func.now())
        .execution_options(synchronize_session=False)
    )


def _fault(found: Authorization, client: Registered, brought: Redemption) -> str:
    if found.code_used_at is not None:
        return "the code was used already"
    if found.client_id != client.id:
        return "the code was given to another client"
    if found.code_expires_at <= utc_now():
        return "the code has expired"
    if found.redirect_uri != brought.redirect_uri:
        return "redirect_uri is not that of the request"
    digest = hashlib.sha256(brought.code_verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return "" if hmac.compare_digest(challenge, found.code_challenge) else "code_verifier does not fit"


async def _may_continue(session: AsyncSession, token: ClientToken, successor: str) -> bool:
    """Unused; or used a moment ago, its successor not yet, and asked again for the first time: the answer was lost."""
    if token.used_at is None:
        return True
    used_at = await session.scalar(
        select(ClientToken.used_at).where(ClientToken.token_hash == hash_of(successor)).with_for_update()
    )
    is_recent = utc_now() - token.used_at <= timedelta(seconds=RETRY_WINDOW_S)
    return is_recent and token.retried_at is None and used_at is None


def _access_token(session: AsyncSession, found: Authorization, scopes: Sequence[str]) -> str:
    raw = secrets.token_urlsafe(32)
    session.add(_token(found, "access", scopes, raw))
    return raw


def _token(found: Authorization, kind: Literal["access", "refresh"], scopes: Sequence[str], raw: str) -> ClientToken:
    return ClientToken(
        authorization_id=found.id,
        kind=kind,
        scopes=list(scopes),
        token_hash=hash_of(raw),
        expires_at=utc_now() + timedelta(seconds=ACCESS_TOKEN_S if kind == "access" else REFRESH_TOKEN_S),
    )


async def _lives(session: AsyncSession, found: Authorization) -> bool:
    return await session.scalar(_living(select(Authorization.id).where(Authorization.id == found.id))) is not None


def _living(asked: Select[Any]) -> Select[Any]:
    """Of authorizations, those that citizen, session, client and the citizen's yes still stand behind."""
    return (
        asked.join(Session, Session.id == Authorization.session_id)
        .join(Grant, Grant.id == Authorization.grant_id)
        .join(Client, Client.id == Authorization.client_id)
        .where(
            Authorization.ended_at.is_(None),
            Session.revoked_at.is_(None),
            Session.expires_at > func.now(),
            Grant.withdrawn_at.is_(None),
            Client.removed_at.is_(None),
        )
    )


async def _record_login(session: AsyncSession, client: Registered, found: Authorization) -> None:
    entry = AuditEntry(
        actor_kind="client",
        actor_id=client.id,
        action="application.login",
        subject_id=found.citizen_id,
        object_kind="citizen",
        object_id=str(found.citizen_id),
        purpose=client.purpose_id,
        legal_basis="consent",
        fields=told(found.scopes),
    )
    await record(session, entry)

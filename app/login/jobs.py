"""Clearing away what has ended: codes, registrations, refresh tokens and sessions nobody can use any more."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Delete, Update, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Base, Database
from app.login.keys import RETIRED_KEPT_S
from app.login.models import Challenge, CodeTries, RefreshToken, Registration, Session, SigningKey
from app.login.national.models import NationalLogin
from app.login.officers.limits import KNOWN_FOR
from app.login.officers.models import OfficerChallenge, OfficerSession, SentForm
from app.login.provider.models import BrowserLogin, ClientAssertion, ClientToken, LogoutNotice
from app.login.sessions import RETRY_WINDOW_S

# Ended codes and sessions stay for a day, so that a late client is told "expired" or "ended" and not "unknown".
KEEP = timedelta(days=1)
# A count of tries nobody added to for so long.
KEEP_TRIES = timedelta(days=30)
# Rows a statement may take, so that no purge holds locks for long.
BATCH = 5_000


async def purge(database: Database) -> int:
    """Remove what has ended, in short transactions; how many rows were touched. A scheduled job runs it."""
    ended = func.now() - KEEP
    lost_answer_over = func.now() - timedelta(seconds=RETRY_WINDOW_S)
    steps: Sequence[Delete | Update] = (
        update(RefreshToken)
        .where(RefreshToken.successor_enc.is_not(None), RefreshToken.used_at < lost_answer_over)
        .values(successor_enc=None),
        _oldest(Registration, Registration.expires_at < ended),
        _oldest(Challenge, Challenge.expires_at < ended),
        delete(CodeTries).where(CodeTries.last_at < func.now() - KEEP_TRIES),
        _oldest(RefreshToken, RefreshToken.expires_at < ended),
        _oldest(NationalLogin, NationalLogin.expires_at < ended),
        _oldest(ClientToken, ClientToken.expires_at < ended),
        _oldest(BrowserLogin, BrowserLogin.expires_at < ended),
        _oldest(ClientAssertion, ClientAssertion.expires_at < func.now(), ClientAssertion.__table__.c.jti_hash),
        _oldest(LogoutNotice, LogoutNotice.created_at < ended),
        _oldest(
            SigningKey,
            SigningKey.retired_at < func.now() - timedelta(seconds=RETIRED_KEPT_S),
            SigningKey.__table__.c.kid,
        ),
        _oldest(OfficerChallenge, OfficerChallenge.expires_at < ended),
        _oldest(SentForm, SentForm.expires_at < func.now(), SentForm.__table__.c.digest),
        # Until then they say where an officer is known to log in from.
        _oldest(OfficerSession, OfficerSession.created_at < func.now() - KNOWN_FOR),
        _oldest(Session, (Session.expires_at < ended) | (Session.revoked_at < ended)),
    )
    touched = 0
    for step in steps:
        touched += await _until_done(database, step)
    return touched


def _oldest(model: type[Base], condition: ColumnElement[bool], key: ColumnElement[Any] | None = None) -> Delete:
    key = model.__table__.c.id if key is None else key
    return delete(model).where(key.in_(select(key).where(condition).limit(BATCH)))


async def _until_done(database: Database, step: Delete | Update) -> int:
    touched = 0
    while True:
        async with database.transaction() as session:
            rows = await _rows(session, step)
        touched += rows
        if rows < BATCH:
            return touched


async def _rows(session: AsyncSession, step: Delete | Update) -> int:
    result = await session.execute(step.execution_options(synchronize_session=False))
    return int(getattr(result, "rowcount", 0))

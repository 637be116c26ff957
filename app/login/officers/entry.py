"""Officers log in: password, then a code or a passkey. A wrong password and an unknown name look like the right one."""

import time
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import TooManyRequests
from app.ids import uuid7
from app.login.codes import Refusal, refusal_error
from app.login.gate import Gate
from app.login.officers.challenges import CHALLENGE_S, counted, used
from app.login.officers.limits import count_address, count_passwords
from app.login.officers.models import OfficerAccount, OfficerChallenge, SessionKind
from app.login.officers.passkeys import is_proven
from app.login.officers.sessions import Opened, Place, open_officer_session
from app.login.officers.totp import step_of
from app.login.officers.trail import note
from app.login.passkey_schemas import UsedCredential
from app.login.passkeys import passkey_refusal

# Whoever gives wrong codes knows the password. Each further wrong one after the first so many keeps the account shut.
MOST_FAILED_CODES = 10
LOCK_S = 900


class Attempt(msgspec.Struct, frozen=True):
    """Who wants in, with which password, from where."""

    name: str
    password: str
    place: Place


class Asked(msgspec.Struct, frozen=True):
    """A challenge, which may be one that nothing can meet."""

    challenge_id: UUID
    expires_at: datetime


class Answer(msgspec.Struct, frozen=True):
    """The code or the passkey's answer for a challenge, and what kind of session is to come of it."""

    challenge_id: UUID
    kind: SessionKind
    place: Place
    code: str = ""
    credential: UsedCredential | None = None


async def check_password(gate: Gate, attempt: Attempt) -> Asked:
    """Ask for the code, whatever came of the password. Raises TooManyRequests."""
    name = attempt.name.strip().lower()
    await count_passwords(gate, name, attempt.place.address)
    wanted = select(OfficerAccount.id, OfficerAccount.password_hash).where(
        OfficerAccount.name == name, OfficerAccount.state == "active"
    )
    async with gate.database.transaction() as session:
        account = (await session.execute(wanted)).one_or_none()
    right = await gate.passwords.verify(account.password_hash if account else None, attempt.password)
    asked = Asked(uuid7(), utc_now() + timedelta(seconds=CHALLENGE_S))
    async with gate.database.transaction() as session:
        met_by = account.id if account and right else None
        session.add(OfficerChallenge(id=asked.challenge_id, officer_id=met_by, expires_at=asked.expires_at))
        if account and not right:
            await session.flush()
            await note(session, account.id, "password_refused", account.id)
    return asked


async def check_answer(gate: Gate, answer: Answer) -> Opened:
    """Open a session where the code or the passkey is right. Raises NotFound, Unprocessable, TooManyRequests."""
    await count_address(gate, "codes", answer.place.address)
    async with gate.database.transaction() as session:
        outcome = await _tried(session, gate, answer)
    if isinstance(outcome, Opened):
        return outcome
    if outcome == "locked":
        raise TooManyRequests("officer_locked", params={"minutes": LOCK_S // 60}, retry_after_s=LOCK_S)
    raise passkey_refusal(outcome) if answer.credential else refusal_error(outcome)


async def _tried(session: AsyncSession, gate: Gate, answer: Answer) -> Opened | Refusal | Literal["locked"]:
    """Count one try and check it. The transaction commits whatever comes of it: a try is spent by trying."""
    officer_id = await counted(session, answer.challenge_id, "login")
    if isinstance(officer_id, str):
        return officer_id
    # Held until the end: of two who bring the same code one finds its step used.
    account = await session.scalar(
        select(OfficerAccount)
        .where(OfficerAccount.id == officer_id, OfficerAccount.state == "active")
        .with_for_update()
    )
    if account is None:
        return "wrong"
    refusal = await _refused(session, gate, account, answer)
    if refusal:
        return refusal
    await used(session, answer.challenge_id)
    await note(session, account.id, "logged_in", account.id)
    return open_officer_session(session, gate.vault, account.id, answer.kind, answer.place)


async def _refused(
    session: AsyncSession, gate: Gate, account: OfficerAccount, answer: Answer
) -> Refusal | Literal["locked"] | None:
    """Why the answer proves nothing; None: it does."""
    if answer.credential:
        # Not shut out by wrong codes: a passkey cannot be guessed.
        if await is_proven(session, gate, account.id, answer.challenge_id, answer.credential):
            return None
        await note(session, account.id, "passkey_refused", account.id)
        return "wrong"
    if account.totp_enc is None:
        return "wrong"
    if account.locked_until and account.locked_until > utc_now():
        return "locked"
    step = step_of(gate.vault, account.totp_enc, answer.code, now=time.time())
    if step is None or step <= account.totp_step:
        return await _failed(session, account)
    account.totp_step, account.failed_codes, account.locked_until = step, 0, None
    return None


async def _failed(session: AsyncSession, account: OfficerAccount) -> Refusal | Literal["locked"]:
    account.failed_codes += 1
    await note(session, account.id, "code_refused", account.id)
    if account.failed_codes < MOST_FAILED_CODES:
        return "wrong"
    account.locked_until = utc_now() + timedelta(seconds=LOCK_S)
    await note(session, account.id, "locked", account.id)
    return "locked"

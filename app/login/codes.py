"""One-time codes: six digits, five tries counted in one atomic step, five minutes, used once.

Beyond one code, the tries of an account are counted until a right one: after LOCK_TRIES no code is right any more until
its citizen lifts that. Fifty guesses at one of a million codes: a chance of 1 in 20,000.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, and_, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection, utc_now
from app.errors import FieldError, LoketError, NotFound, Unprocessable
from app.ids import uuid7
from app.login.models import Challenge, CodeTries, Purpose
from app.privacy import Vault

CODE_S = 300
TRIES = 5
LOCK_TRIES = 50
_DIGITS = 6

Refusal = Literal["unknown", "used", "expired", "exhausted", "wrong"]


class Ask(msgspec.Struct, frozen=True):
    """A code to be made. Without `citizen_id`, a login challenge can never be met.

    `account` is the key under which tries are counted over all codes; without one they are counted for this code alone.
    """

    purpose: Purpose
    genuine: bool
    citizen_id: UUID | None = None
    device_name: str = ""
    account: bytes = b""
    known_device: bool = False
    nik_index: bytes | None = None


class Made(msgspec.Struct, frozen=True):
    """A new code, known in the clear to its message alone."""

    challenge_id: UUID
    code: str
    expires_at: datetime


class Met(msgspec.Struct, frozen=True):
    """The right code was given in time, for the first time."""

    citizen_id: UUID | None
    device_name: str
    known_device: bool = False


class Counted(msgspec.Struct, frozen=True):
    """A challenge of which one try was just spent."""

    challenge_id: UUID
    code_mac: bytes
    citizen_id: UUID | None
    device_name: str
    account: bytes
    known_device: bool


def make_code(session: AsyncSession, vault: Vault, ask: Ask) -> Made:
    """A challenge in the caller's transaction. One that is not genuine looks the same and no code meets it."""
    made, row = _challenge(vault, ask)
    session.add(Challenge(**row))
    return made


async def make_code_on(connection: Connection, vault: Vault, ask: Ask) -> Made:
    """The same in the transaction that `connection` is in, for a third of the work."""
    made, row = _challenge(vault, ask)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO challenges ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608 - our columns
    return made


def new_code(vault: Vault, challenge_id: UUID) -> tuple[str, bytes]:
    """A code and the MAC that binds it to its challenge."""
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    return code, _mac(vault, challenge_id, code)


async def try_code(
    session: AsyncSession, vault: Vault, purpose: Purpose, challenge_id: UUID, code: str
) -> Met | Refusal:
    """Count one try and check it. The transaction must commit whatever the answer: a try is spent by trying."""
    counted = await count_try(session, purpose, challenge_id)
    if not isinstance(counted, Counted):
        return counted
    # Counted before it is compared, as the code's own tries are; a wrong one leaves the same behind whoever's it was.
    tried = await _count_for_account(session, counted.account, purpose)
    # A lock says nothing of itself here: "wrong" for a right code too, or the next guess would know that it was.
    if not hmac.compare_digest(counted.code_mac, _mac(vault, challenge_id, code)) or tried > LOCK_TRIES:
        return "wrong"
    return await met(session, purpose, counted)


async def count_try(
    session: AsyncSession, purpose: Purpose, challenge_id: UUID, owner: UUID | None = None
) -> Counted | Refusal:
    """Spend one try, if one is left. With `owner`, another citizen's challenge is not there, and loses no try.

    Counting and looking whether a try is left are one UPDATE, so that parallel requests cannot share the last one.
    """
    counted = (
        await session.execute(
            update(Challenge)
            .where(
                _this(purpose, challenge_id, owner),
                Challenge.tries < TRIES,
                Challenge.used_at.is_(None),
                Challenge.expires_at > func.now(),
            )
            .values(tries=Challenge.tries + 1)
            .returning(
                Challenge.id,
                Challenge.code_mac,
                Challenge.citizen_id,
                Challenge.device_name,
                Challenge.account,
                Challenge.known_device,
            )
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    return Counted(*counted) if counted else await _why_not(session, _this(purpose, challenge_id, owner))


async def met(session: AsyncSession, purpose: Purpose, counted: Counted) -> Met:
    """The right answer came: nothing meets this challenge any more, and a lock is lifted."""
    await _set_used(session, counted.challenge_id, func.now())
    await lift_lock(session, counted.account, purpose)
    return Met(counted.citizen_id, counted.device_name, counted.known_device)


async def reopen(session: AsyncSession, challenge_id: UUID) -> None:
    """What met it came to nothing for another reason: it may be met again, with the tries that are left."""
    await _set_used(session, challenge_id, null())


async def is_locked(session: AsyncSession, account: bytes, purpose: Purpose) -> bool:
    """Whether no code of this account can be right until its lock is lifted."""
    tries = select(CodeTries.tries).where(CodeTries.account == account, CodeTries.purpose == purpose)
    return (await session.scalar(tries) or 0) >= LOCK_TRIES


async def lift_lock(session: AsyncSession, account: bytes, purpose: Purpose) -> None:
    """Begin to count anew: its citizen has shown to be who they are."""
    await session.execute(delete(CodeTries).where(CodeTries.account == account, CodeTries.purpose == purpose))


def refusal_error(refusal: Refusal) -> LoketError:
    """The refusal as what the client is told."""
    if refusal == "unknown":
        return NotFound()
    if refusal == "wrong":
        return Unprocessable("code_wrong", errors=[FieldError("/code", "code_wrong")])
    return Unprocessable(f"code_{refusal}")


def _challenge(vault: Vault, ask: Ask) -> tuple[Made, dict[str, Any]]:
    """A new challenge, and its row."""
    challenge_id = uuid7()
    code, mac = new_code(vault, challenge_id)
    expires_at = utc_now() + timedelta(seconds=CODE_S)
    row = {
        "id": challenge_id,
        "purpose": ask.purpose,
        "citizen_id": ask.citizen_id,
        "device_name": ask.device_name,
        "account": ask.account,
        "known_device": ask.known_device,
        "nik_index": ask.nik_index,
        "code_mac": mac if ask.genuine else secrets.token_bytes(len(mac)),
        "expires_at": expires_at,
    }
    return Made(challenge_id, code, expires_at), row


async def _set_used(session: AsyncSession, challenge_id: UUID, used_at: ColumnElement[Any]) -> None:
    await session.execute(
        update(Challenge)
        .where(Challenge.id == challenge_id)
        .values(used_at=used_at)
        .execution_options(synchronize_session=False)
    )


def _this(purpose: Purpose, challenge_id: UUID, owner: UUID | None) -> ColumnElement[bool]:
    found = and_(Challenge.id == challenge_id, Challenge.purpose == purpose)
    return found if owner is None else found & (Challenge.citizen_id == owner)


async def _why_not(session: AsyncSession, this: ColumnElement[bool]) -> Refusal:
    found = (await session.execute(select(Challenge.used_at, Challenge.tries).where(this))).one_or_none()
    if found is None:
        return "unknown"
    if found.used_at:
        return "used"
    return "exhausted" if found.tries >= TRIES else "expired"


async def _count_for_account(session: AsyncSession, account: bytes, purpose: Purpose) -> int:
    if not account:
        return 1
    first = insert(CodeTries).values(account=account, purpose=purpose, tries=1)
    one_more = {"tries": CodeTries.tries + 1, "last_at": func.now()}
    counted = first.on_conflict_do_update(index_elements=[CodeTries.account, CodeTries.purpose], set_=one_more)
    return int(await session.scalar(counted.returning(CodeTries.tries)) or 1)


def _mac(vault: Vault, challenge_id: UUID, code: str) -> bytes:
    return vault.index("challenge", f"{challenge_id}:{code}")

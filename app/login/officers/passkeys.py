"""Passkeys of officers: beside the authenticator's codes, never instead of having one; added from a fresh session."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import Conflict, Forbidden, LoketError, NotFound
from app.ids import uuid7
from app.login.gate import Gate
from app.login.guards import Officer
from app.login.officers.challenges import CHALLENGE_S, counted, used
from app.login.officers.models import FULL_NAME, OfficerAccount, OfficerChallenge, OfficerPasskey, OfficerSession
from app.login.officers.trail import note, tell
from app.login.passkey_schemas import CreationOptions, NewPasskey, RequestOptions, UsedCredential
from app.login.passkeys import passkey_refusal
from app.login.relying_party import (
    PasskeyOwner,
    PasskeyRefused,
    credential_id_of,
    is_copied,
    made_columns,
    relying_party,
    user_handle_of,
)
from app.privacy import Vault

MOST = 5
# A passkey outlives its session: whoever finds an unlocked desk must not add theirs.
FRESH_S = 600


class Started(msgspec.Struct, frozen=True):
    """Options for a new passkey, good once."""

    challenge_id: UUID
    options: CreationOptions
    expires_at: datetime


async def start_passkey(gate: Gate, officer: Officer) -> Started:
    """Raises Forbidden where the session is not fresh, Conflict where there are enough."""
    started_at = utc_now() + timedelta(seconds=CHALLENGE_S)
    asked = OfficerChallenge(id=uuid7(), officer_id=officer.id, purpose="passkey", expires_at=started_at)
    async with gate.database.transaction() as session:
        await _require_fresh(session, officer)
        known = await passkeys_of(session, officer.id)
        _refuse_more(known)
        session.add(asked)
        account = await session.get_one(OfficerAccount, officer.id)
        full_name = gate.vault.decrypt(account.full_name_enc, FULL_NAME).decode()
    owner = PasskeyOwner(_handle(gate.vault, officer.id), account.name, full_name)
    options = relying_party(gate.settings).creation_options(owner, _challenge(gate.vault, asked.id), known)
    return Started(asked.id, options, asked.expires_at)


async def add_passkey(gate: Gate, officer: Officer, given: NewPasskey) -> OfficerPasskey:
    """Sent twice it is added once. Raises Forbidden, Conflict, NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        await _require_fresh(session, officer)
        outcome = await _added(session, gate, officer, given)
    if isinstance(outcome, OfficerPasskey):
        return outcome
    raise outcome


async def passkeys_of(session: AsyncSession, officer_id: UUID) -> Sequence[OfficerPasskey]:
    """Newest first."""
    found = select(OfficerPasskey).where(OfficerPasskey.officer_id == officer_id).order_by(OfficerPasskey.id.desc())
    return (await session.scalars(found.limit(MOST))).all()


async def remove_passkey(session: AsyncSession, gate: Gate, officer: Officer, passkey_id: UUID) -> None:
    """Raises NotFound, also for another officer's. Needs no fresh session: who lost a device must be quick."""
    mine = (OfficerPasskey.id == passkey_id) & (OfficerPasskey.officer_id == officer.id)
    if await session.scalar(delete(OfficerPasskey).where(mine).returning(OfficerPasskey.id)) is None:
        raise NotFound
    await note(session, officer.id, "passkey_removed", officer.id)
    await tell(gate, session, await session.get_one(OfficerAccount, officer.id), "officers.passkey_removed")


async def remove_all(session: AsyncSession, officer_id: UUID) -> None:
    """Recovery ends them with all else the account was entered with."""
    await session.execute(delete(OfficerPasskey).where(OfficerPasskey.officer_id == officer_id))


def request_options(gate: Gate, challenge_id: UUID) -> RequestOptions:
    """For a login. None is named as allowed: nobody learns from us whether an account has any."""
    return relying_party(gate.settings).request_options(_challenge(gate.vault, challenge_id))


async def is_proven(
    session: AsyncSession, gate: Gate, officer_id: UUID, challenge_id: UUID, credential: UsedCredential
) -> bool:
    """Whether a passkey of this officer answered the challenge; its counter moves on."""
    try:
        await _prove(session, gate, officer_id, challenge_id, credential)
    except PasskeyRefused:
        return False
    return True


async def _prove(
    session: AsyncSession, gate: Gate, officer_id: UUID, challenge_id: UUID, credential: UsedCredential
) -> None:
    """Raises PasskeyRefused."""
    found = (OfficerPasskey.credential_id == credential_id_of(credential)) & (OfficerPasskey.officer_id == officer_id)
    passkey = await session.scalar(select(OfficerPasskey).where(found).with_for_update())
    if passkey is None:
        raise PasskeyRefused("unknown")
    handle = user_handle_of(credential)
    if handle is not None and handle != _handle(gate.vault, officer_id):
        raise PasskeyRefused("user handle")
    challenge = _challenge(gate.vault, challenge_id)
    verified = relying_party(gate.settings).verify_used(credential, challenge, passkey.public_key)
    if is_copied(verified, passkey.sign_count):
        await note(session, officer_id, "passkey_copied", officer_id)
        raise PasskeyRefused("counter")
    passkey.sign_count, passkey.backed_up = verified.new_sign_count, verified.credential_backed_up
    passkey.last_used_at = utc_now()


async def _added(session: AsyncSession, gate: Gate, officer: Officer, given: NewPasskey) -> OfficerPasskey | LoketError:
    """An error is handed back, not raised: the try that was spent must stay."""
    tried = await counted(session, given.challenge_id, "passkey", officer.id)
    if isinstance(tried, str):
        again = await _same(session, officer.id, given) if tried == "used" else None
        return again or passkey_refusal(tried)
    try:
        verified = relying_party(gate.settings).verify_new(given.credential, _challenge(gate.vault, given.challenge_id))
    except PasskeyRefused:
        return passkey_refusal("wrong")
    # Only one request at a time of one officer may count and add.
    account = await session.get_one(OfficerAccount, officer.id, with_for_update=True)
    if len(await passkeys_of(session, officer.id)) >= MOST:
        return Conflict("too_many_passkeys", params={"most": MOST})
    await used(session, given.challenge_id)
    added: OfficerPasskey | None = await session.scalar(
        insert(OfficerPasskey)
        .values(
            id=uuid7(),
            officer_id=officer.id,
            **made_columns(given, verified),
        )
        .on_conflict_do_nothing(index_elements=[OfficerPasskey.credential_id])
        .returning(OfficerPasskey)
    )
    if added is None:
        return Conflict("passkey_known")
    await note(session, officer.id, "passkey_added", officer.id)
    await tell(gate, session, account, "officers.passkey_added")
    return added


async def _same(session: AsyncSession, officer_id: UUID, given: NewPasskey) -> OfficerPasskey | None:
    """The passkey that an earlier, lost answer told of."""
    try:
        credential_id = credential_id_of(given.credential)
    except PasskeyRefused:
        return None
    mine = (OfficerPasskey.credential_id == credential_id) & (OfficerPasskey.officer_id == officer_id)
    return await session.scalar(select(OfficerPasskey).where(mine))


async def _require_fresh(session: AsyncSession, officer: Officer) -> None:
    fresh = OfficerSession.created_at > func.now() - timedelta(seconds=FRESH_S)
    if not await session.scalar(select(fresh).where(OfficerSession.id == officer.session_id)):
        raise Forbidden("officer_session_old")


def _refuse_more(known: Sequence[OfficerPasskey]) -> None:
    if len(known) >= MOST:
        raise Conflict("too_many_passkeys", params={"most": MOST})


def _challenge(vault: Vault, challenge_id: UUID) -> bytes:
    """The 32 bytes a passkey signs: of this challenge alone, and never a citizen's."""
    return vault.lasting_name("officer_passkey_challenge", str(challenge_id))


def _handle(vault: Vault, officer_id: UUID) -> bytes:
    return vault.lasting_name("officer_passkey_user", str(officer_id))

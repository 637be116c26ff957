"""Passkeys of citizens: adding, listing, removing, and proving oneself with one. A challenge is good once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Conflict, Forbidden, LoketError, NotFound, Unprocessable
from app.ids import uuid7
from app.login.codes import Ask, Counted, Met, Refusal, count_try, make_code, met
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.models import NAME, NIK, Citizen, Passkey, Purpose
from app.login.passkey_schemas import CreationOptions, NewPasskey, RequestOptions, UsedCredential
from app.login.relying_party import (
    PasskeyOwner,
    PasskeyRefused,
    credential_id_of,
    is_copied,
    made_columns,
    relying_party,
    user_handle_of,
)
from app.login.sessions import just_proven
from app.login.trail import Step, keep
from app.privacy import Vault, mask_nik

MOST = 10


class Started(msgspec.Struct, frozen=True):
    """Options for a new passkey."""

    challenge_id: UUID
    options: CreationOptions
    expires_at: datetime


async def start_passkey(gate: Gate, caller: Caller) -> Started:
    """Raises Forbidden where the caller did not prove themselves lately, Conflict where they have enough of them."""
    async with gate.database.transaction() as session:
        await _require_proof(session, caller)
        known = await _of(session, caller.id)
        _refuse_more(known)
        made = make_code(session, gate.vault, Ask("passkey", genuine=False, citizen_id=caller.id))
        owner = await _owner(session, gate.vault, caller.id)
    challenge = challenge_of(gate.vault, made.challenge_id)
    options = relying_party(gate.settings).creation_options(owner, challenge, known)
    return Started(made.challenge_id, options, made.expires_at)


async def add_passkey(gate: Gate, caller: Caller, given: NewPasskey) -> Passkey:
    """Sent twice it is added once. Raises Forbidden, Conflict, NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        await _require_proof(session, caller)
        outcome = await _added(session, gate, caller, given)
    if isinstance(outcome, Passkey):
        return outcome
    raise outcome


async def passkeys_of(gate: Gate, citizen_id: UUID) -> Sequence[Passkey]:
    """Newest first."""
    async with gate.database.transaction() as session:
        return await _of(session, citizen_id)


async def remove_passkey(gate: Gate, caller: Caller, passkey_id: UUID) -> None:
    """Raises NotFound, also for another person's. Needs no new proof: who lost a device must be quick."""
    async with gate.database.transaction() as session:
        mine = (Passkey.id == passkey_id) & (Passkey.citizen_id == caller.id)
        name = await session.scalar(delete(Passkey).where(mine).returning(Passkey.name))
        if name is not None:
            await keep(session, Step("passkey_removed", caller.id, "passkey", str(passkey_id)))
            await gate.courier.tell(session, caller.id, "login.passkey_removed", {"name": name or "-"})
    if name is None:
        raise NotFound


async def try_passkey(session: AsyncSession, gate: Gate, asked: "Asked", credential: UsedCredential) -> Met | Refusal:
    """Count one try of a challenge and check the passkey's answer to it. The caller's transaction must commit anyway.

    Only a passkey of the citizen whom the challenge is for is looked at.
    """
    counted = await count_try(session, asked.purpose, asked.challenge_id)
    if not isinstance(counted, Counted):
        return counted
    try:
        await _prove(session, gate, counted, credential)
    except PasskeyRefused:
        await keep(session, Step("passkey_refused", counted.citizen_id, "challenge", str(asked.challenge_id)))
        return "wrong"
    return await met(session, asked.purpose, counted)


class Asked(msgspec.Struct, frozen=True):
    """Which challenge is answered."""

    purpose: Purpose
    challenge_id: UUID


def passkey_refusal(refusal: Refusal) -> LoketError:
    """The refusal as what the client is told."""
    return NotFound() if refusal == "unknown" else Unprocessable(f"passkey_{refusal}")


def challenge_of(vault: Vault, challenge_id: UUID) -> bytes:
    """The 32 bytes a passkey signs: of this challenge alone, and only we can tell them."""
    return vault.lasting_name("passkey_challenge", str(challenge_id))


def request_options(gate: Gate, challenge_id: UUID, allowed: Sequence[Passkey] = ()) -> RequestOptions:
    """At login none is named as allowed: the same for everybody but for the challenge itself."""
    return relying_party(gate.settings).request_options(challenge_of(gate.vault, challenge_id), allowed)


async def _added(session: AsyncSession, gate: Gate, caller: Caller, given: NewPasskey) -> Passkey | LoketError:
    """An error is handed back, not raised: the try that was spent must stay."""
    counted = await count_try(session, "passkey", given.challenge_id, caller.id)
    if not isinstance(counted, Counted):
        again = await _same(session, caller.id, given) if counted == "used" else None
        return again or passkey_refusal(counted)
    try:
        challenge = challenge_of(gate.vault, given.challenge_id)
        verified = relying_party(gate.settings).verify_new(given.credential, challenge)
    except PasskeyRefused:
        return passkey_refusal("wrong")
    # Only one request at a time of one citizen may count and add.
    await session.execute(select(Citizen.id).where(Citizen.id == caller.id).with_for_update())
    known = await _of(session, caller.id)
    if len(known) >= MOST:
        return Conflict("too_many_passkeys", params={"most": MOST})
    await met(session, "passkey", counted)
    added: Passkey | None = await session.scalar(
        insert(Passkey)
        .values(
            id=uuid7(),
            citizen_id=caller.id,
            **made_columns(given, verified),
        )
        .on_conflict_do_nothing(index_elements=[Passkey.credential_id])
        .returning(Passkey)
    )
    if added is None:
        return Conflict("passkey_known")
    await keep(session, Step("passkey_added", caller.id, "passkey", str(added.id)))
    await gate.courier.tell(session, caller.id, "login.passkey_added", {"name": given.name or "-"})
    return added


async def _prove(session: AsyncSession, gate: Gate, counted: Counted, credential: UsedCredential) -> None:
    """Raises PasskeyRefused."""
    found = (Passkey.credential_id == credential_id_of(credential)) & (Passkey.citizen_id == counted.citizen_id)
    passkey = await session.scalar(select(Passkey).where(found).with_for_update())
    if passkey is None:
        raise PasskeyRefused("unknown")
    handle = user_handle_of(credential)
    if handle is not None and handle != _handle(gate.vault, passkey.citizen_id):
        raise PasskeyRefused("user handle")
    challenge = challenge_of(gate.vault, counted.challenge_id)
    verified = relying_party(gate.settings).verify_used(credential, challenge, passkey.public_key)
    if is_copied(verified, passkey.sign_count):
        await keep(session, Step("passkey_copied", passkey.citizen_id, "passkey", str(passkey.id)))
        await gate.courier.tell(session, passkey.citizen_id, "login.passkey_copied", {"name": passkey.name or "-"})
        raise PasskeyRefused("counter")
    await session.execute(
        update(Passkey)
        .where(Passkey.id == passkey.id)
        .values(sign_count=verified.new_sign_count, backed_up=verified.credential_backed_up, last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def _same(session: AsyncSession, citizen_id: UUID, given: NewPasskey) -> Passkey | None:
    """The passkey that an earlier, lost answer told of."""
    try:
        credential_id = credential_id_of(given.credential)
    except PasskeyRefused:
        return None
    mine = (Passkey.credential_id == credential_id) & (Passkey.citizen_id == citizen_id)
    return await session.scalar(select(Passkey).where(mine))


async def _of(session: AsyncSession, citizen_id: UUID) -> Sequence[Passkey]:
    found = select(Passkey).where(Passkey.citizen_id == citizen_id).order_by(Passkey.id.desc()).limit(MOST)
    return (await session.scalars(found)).all()


async def _require_proof(session: AsyncSession, caller: Caller) -> None:
    """A passkey stays when its session has ended: whoever holds an open phone for a moment must not add theirs."""
    if not await just_proven(session, caller.session_id):
        raise Forbidden("step_up_needed")


def _refuse_more(known: Sequence[Passkey]) -> None:
    if len(known) >= MOST:
        raise Conflict("too_many_passkeys", params={"most": MOST})


async def _owner(session: AsyncSession, vault: Vault, citizen_id: UUID) -> PasskeyOwner:
    found = select(Citizen.nik_enc, Citizen.name_enc).where(Citizen.id == citizen_id)
    row = (await session.execute(found)).one()
    nik, name = vault.decrypt(row.nik_enc, NIK).decode(), vault.decrypt(row.name_enc, NAME).decode()
    return PasskeyOwner(_handle(vault, citizen_id), mask_nik(nik), name)


def _handle(vault: Vault, citizen_id: UUID) -> bytes:
    return vault.lasting_name("passkey_user", str(citizen_id))

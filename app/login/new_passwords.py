"""Choosing another password: with the old one, or, where it is forgotten, with a code or a passkey."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
from sqlalchemy import delete, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import FieldError, LoketError, Unprocessable
from app.ids import uuid7
from app.login.arrivals import Arrival, Method, let_in
from app.login.codes import Met, refusal_error, reopen
from app.login.contacts import CONFIRMED_PHONE
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.identity import Person
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK, Citizen, Contact, Credential, PhoneChange, Session
from app.login.passwords import password_faults
from app.login.proofs import Brought, try_proof
from app.login.sessions import EndReason, Opened, end_sessions
from app.login.trail import Event, Step, keep
from app.privacy import Vault


class Recovery(msgspec.Struct, frozen=True):
    """The answer to the challenge, the password to be, and where it came from."""

    brought: Brought
    password: str
    network: str


async def recover(gate: Gate, recovery: Recovery) -> Opened:
    """Every other session ends; a waiting change of phone is off. Raises NotFound, Unprocessable, Unavailable."""
    secret = await gate.passwords.hash(recovery.password)
    async with gate.database.transaction() as session:
        proven = await try_proof(session, gate, "recovery", recovery.brought)
        outcome = await _recovered(session, gate, recovery, secret, proven) if isinstance(proven, Met) else proven
    if isinstance(outcome, LoketError):
        raise outcome
    opened, ended = outcome
    await gate.revocations.announce(*ended)
    return opened


async def change_password(gate: Gate, caller: Caller, old: str, new: str) -> None:
    """Every other session ends. Raises Unprocessable, Unavailable."""
    async with gate.database.transaction() as session:
        person = await _person(session, gate.vault, caller.id)
    stored = await check_password(gate, caller, old)
    if faults := password_faults(new, person):
        raise Unprocessable(errors=[FieldError("/new_password", fault.code, fault.params) for fault in faults])
    secret = await gate.passwords.hash(new)
    async with gate.database.transaction() as session:
        change = _Change(caller.id, secret, "password_changed", caller.session_id, stored)
        ended = await _replace(session, gate, change)
    await gate.revocations.announce(*ended)


async def check_password(gate: Gate, caller: Caller, password: str) -> str:
    """The stored hash it fits. A wrong one is recorded. Raises Unprocessable, Unavailable."""
    mine = (Credential.citizen_id == caller.id) & (Credential.kind == "password")
    async with gate.database.transaction() as session:
        stored = await session.scalar(select(Credential.secret).where(mine))
    if stored is not None and await gate.passwords.verify(stored, password):
        return stored
    async with gate.database.transaction() as session:
        await keep(session, Step("password_refused", caller.id, object_id=str(caller.session_id)))
    raise Unprocessable("password_wrong", errors=[FieldError("/password", "password_wrong")])


async def _recovered(
    session: AsyncSession, gate: Gate, recovery: Recovery, secret: str, proven: Met
) -> tuple[Opened, Sequence[UUID]] | LoketError:
    """The new session and those it ended. An error is handed back: the try that was spent must stay."""
    if proven.citizen_id is None:
        return refusal_error("wrong")
    person = await _person(session, gate.vault, proven.citizen_id)
    if faults := password_faults(recovery.password, person):
        # Whom the code belongs to is known now, and only now may be said what is wrong with the password.
        await reopen(session, recovery.brought.challenge_id)
        return Unprocessable(errors=faults)
    ended = await _replace(session, gate, _Change(proven.citizen_id, secret, "password_recovered"))
    await session.execute(delete(PhoneChange).where(PhoneChange.citizen_id == proven.citizen_id))
    method: Method = "passkey" if recovery.brought.credential else "recovery"
    arrival = Arrival(proven.citizen_id, method, proven.device_name, recovery.network, known_device=True)
    return await let_in(session, gate, arrival), ended


class _Change(msgspec.Struct, frozen=True):
    """`but`: the session that goes on. `stored`: the hash that is replaced, where it must still be that one."""

    citizen_id: UUID
    secret: str
    event: Event
    but: UUID | None = None
    stored: str | None = None


async def _replace(session: AsyncSession, gate: Gate, change: _Change) -> list[UUID]:
    """The sessions it ended. Raises Unprocessable where somebody else was quicker."""
    if change.stored is None:
        await session.execute(
            insert(Credential)
            .values(id=uuid7(), citizen_id=change.citizen_id, kind="password", secret=change.secret)
            .on_conflict_do_update(
                index_elements=[Credential.citizen_id],
                # In words: a value in its place is not known any more once PostgreSQL plans for all values.
                index_where=text("kind = 'password'"),
                set_={"secret": change.secret},
            )
        )
    else:
        held = (Credential.citizen_id == change.citizen_id) & (Credential.secret == change.stored)
        replaced = update(Credential).where(held, Credential.kind == "password").values(secret=change.secret)
        if await session.scalar(replaced.returning(Credential.id)) is None:
            raise Unprocessable("password_wrong", errors=[FieldError("/password", "password_wrong")])
    reason: EndReason = "password_changed" if change.event == "password_changed" else "password_recovered"
    others = (Session.citizen_id == change.citizen_id) & (Session.id != change.but if change.but else true())
    ended = await end_sessions(session, others, reason)
    await keep(session, Step(change.event, change.citizen_id, "password"))
    await gate.courier.tell(session, change.citizen_id, f"login.{change.event}", {})
    return list(ended)


async def _person(session: AsyncSession, vault: Vault, citizen_id: UUID) -> Person:
    """As far as a password must not contain them."""
    found = (
        select(Citizen.nik_enc, Citizen.name_enc, Citizen.birth_date_enc, Contact.value_enc)
        .outerjoin(Contact, CONFIRMED_PHONE)
        .where(Citizen.id == citizen_id)
    )
    nik, name, born, phone = (await session.execute(found)).one()
    return Person(
        nik=vault.decrypt(nik, NIK).decode(),
        name=vault.decrypt(name, NAME).decode(),
        birth_date=date.fromisoformat(vault.decrypt(born, BIRTH_DATE).decode()),
        phone=vault.decrypt(phone, CONTACT).decode() if phone else "+62",
    )

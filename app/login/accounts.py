"""Making accounts: one NIK, one account. Who has proven to be whom the NIK belongs to takes it from who has not."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.ids import uuid7
from app.login.identity import Person
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK, Citizen, Contact, Credential, Session
from app.login.sessions import end_sessions
from app.privacy import Vault

# From this level on an account has been proven to be its NIK's owner's.
PROVEN_LEVEL = 2


class NewAccount(msgspec.Struct, frozen=True):
    """A citizen to be, whose phone has been confirmed. `secret` is the password's hash."""

    person: Person
    secret: str
    language: str
    assurance_level: int
    id: UUID = msgspec.field(default_factory=uuid7)


class NewCitizen(msgspec.Struct, frozen=True):
    """A citizen to be, without anything to log in with yet."""

    id: UUID
    nik: str
    name: str
    birth_date: date
    language: str
    assurance_level: int


class Displaced(msgspec.Struct, frozen=True):
    """An account that lost its NIK, and its sessions that ended, to be announced after the commit."""

    citizen_id: UUID
    sessions: Sequence[UUID]


async def create_account(session: AsyncSession, vault: Vault, account: NewAccount) -> UUID | None:
    """The new citizen's id; None where the NIK has an account, which only the unique index can know for sure."""
    person = account.person
    new = NewCitizen(account.id, person.nik, person.name, person.birth_date, account.language, account.assurance_level)
    citizen_id = await add_citizen(session, vault, new)
    if citizen_id is None:
        return None
    phone = Contact(
        citizen_id=citizen_id,
        kind="phone",
        value_enc=vault.encrypt(person.phone.encode(), CONTACT),
        value_index=vault.index("phone", person.phone),
        confirmed_at=func.now(),
    )
    session.add_all([Credential(citizen_id=citizen_id, kind="password", secret=account.secret), phone])
    await session.flush()
    return citizen_id


async def add_citizen(session: AsyncSession, vault: Vault, new: NewCitizen) -> UUID | None:
    """The id; None where the NIK has an account."""
    added: UUID | None = await session.scalar(
        insert(Citizen)
        .values(
            id=new.id,
            nik_enc=vault.encrypt(new.nik.encode(), NIK),
            nik_index=vault.index("nik", new.nik),
            name_enc=vault.encrypt(new.name.encode(), NAME),
            birth_date_enc=vault.encrypt(new.birth_date.isoformat().encode(), BIRTH_DATE),
            assurance_level=new.assurance_level,
            language=new.language,
        )
        .on_conflict_do_nothing(index_elements=[Citizen.nik_index])
        .returning(Citizen.id)
    )
    return added


async def displace_unproven(session: AsyncSession, vault: Vault, nik: str, by: UUID) -> Displaced | None:
    """Take the NIK from the account that has it and has not proven it; None where there is no such account.

    That account keeps its history and can be logged in to no more; nothing of it passes to the new one.
    """
    unproven = select(Citizen.id).where(
        Citizen.nik_index == vault.index("nik", nik), Citizen.assurance_level < PROVEN_LEVEL
    )
    citizen_id = await session.scalar(unproven.with_for_update())
    if citizen_id is None:
        return None
    # An index that no NIK has, so that the column stays unique and this row is found by its id alone.
    freed = vault.index("displaced", str(citizen_id))
    await session.execute(
        update(Citizen).where(Citizen.id == citizen_id).values(nik_index=freed, displaced_at=func.now())
    )
    ended = await end_sessions(session, Session.citizen_id == citizen_id, "nik_proven_by_another")
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(by),
        action="identity.displace",
        subject_id=citizen_id,
        object_kind="citizen",
        object_id=str(citizen_id),
        purpose="identity-proof",
        legal_basis="uu-25-2009",
        fields=("nik",),
    )
    await record(session, entry)
    return Displaced(citizen_id, ended)

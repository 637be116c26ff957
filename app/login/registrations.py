"""Asking for an account and confirming it. Whoever the NIK belongs to, the answer is the same; a phone learns more."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound, Unprocessable
from app.ids import uuid7
from app.login.codes import Ask, Made, Met, make_code, refusal_error, try_code
from app.login.courier import Note
from app.login.gate import Gate
from app.login.identity import Person
from app.login.models import (
    APPLICATION,
    BIRTH_DATE,
    CONTACT,
    NAME,
    NIK,
    Citizen,
    Contact,
    Credential,
    Registration,
)
from app.login.passwords import password_faults
from app.login.sessions import Opened, open_session
from app.privacy import Vault
from app.texts import Language


class Started(msgspec.Struct, frozen=True):
    registration_id: UUID
    expires_at: datetime


class Confirmation(msgspec.Struct, frozen=True):
    """What came with the code."""

    code: str
    password: str
    device_name: str


async def start(gate: Gate, person: Person, language: Language) -> Started:
    """Keep what was given for as long as the code lives, and send the code.

    Where the NIK has an account already, the account's own phone is told instead, and no code will be right.
    """
    async with gate.database.transaction() as session:
        known = await _account_phone(session, gate.vault.index("nik", person.nik))
        made = make_code(session, gate.vault, Ask("registration", genuine=known is None))
        await session.flush()
        registration = Registration(
            id=uuid7(),
            challenge_id=made.challenge_id,
            person_enc=gate.vault.encrypt(msgspec.json.encode(person), APPLICATION),
            language=language,
            expires_at=made.expires_at,
        )
        session.add(registration)
        await session.flush()
        note = _code_note(person, made, language) if known is None else _warning_note(gate.vault, known, made)
        await gate.courier.send(session, note)
        return Started(registration.id, made.expires_at)


async def confirm(gate: Gate, registration_id: UUID, given: Confirmation) -> Opened:
    """Make the account where the code is right. Raises NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        registration = await session.get(Registration, registration_id)
    if registration is None:
        raise NotFound
    person = msgspec.json.decode(gate.vault.decrypt(registration.person_enc, APPLICATION), type=Person)
    if faults := password_faults(given.password, person):
        raise Unprocessable(errors=faults)
    secret = await gate.passwords.hash(given.password)
    async with gate.database.transaction() as session:
        outcome = await try_code(session, gate.vault, "registration", registration.challenge_id, given.code)
        if isinstance(outcome, Met):
            account = NewAccount(person, secret, registration.language, assurance_level_of(person))
            citizen_id = await create_account(session, gate.vault, account)
            if citizen_id:
                return await open_session(session, citizen_id, account.assurance_level, given.device_name)
            # Somebody else confirmed this NIK first: not told apart from a wrong code.
            outcome = "wrong"
    raise refusal_error(outcome)


def assurance_level_of(_person: Person) -> int:
    """How sure we are that this is the person: only the phone is proven. The population register will say more here."""
    return 1


class NewAccount(msgspec.Struct, frozen=True):
    """A citizen to be, whose phone has been confirmed. `secret` is the password's hash."""

    person: Person
    secret: str
    language: str
    assurance_level: int


async def create_account(session: AsyncSession, vault: Vault, account: NewAccount) -> UUID | None:
    """The new citizen's id; None where the NIK has an account, which only the unique index can know for sure."""
    person = account.person
    citizen_id: UUID | None = await session.scalar(
        insert(Citizen)
        .values(
            id=uuid7(),
            nik_enc=vault.encrypt(person.nik.encode(), NIK),
            nik_index=vault.index("nik", person.nik),
            name_enc=vault.encrypt(person.name.encode(), NAME),
            birth_date_enc=vault.encrypt(person.birth_date.isoformat().encode(), BIRTH_DATE),
            assurance_level=account.assurance_level,
            language=account.language,
        )
        .on_conflict_do_nothing(index_elements=[Citizen.nik_index])
        .returning(Citizen.id)
    )
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


class _Known(msgspec.Struct, frozen=True):
    language: Language
    phone_enc: bytes | None


async def _account_phone(session: AsyncSession, nik_index: bytes) -> _Known | None:
    row = (
        await session.execute(
            select(Citizen.language, Contact.value_enc)
            .outerjoin(
                Contact,
                and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None)),
            )
            .where(Citizen.nik_index == nik_index)
        )
    ).one_or_none()
    return _Known("en" if row.language == "en" else "id", row.value_enc) if row else None


def _code_note(person: Person, made: Made, language: Language) -> Note:
    return Note(
        phone=person.phone,
        key="login.code_for_registration",
        params={"code": made.code},
        language=language,
        expires_at=made.expires_at,
    )


def _warning_note(vault: Vault, known: _Known, made: Made) -> Note:
    return Note(
        phone=vault.decrypt(known.phone_enc, CONTACT).decode() if known.phone_enc else None,
        key="login.already_registered",
        params={},
        language=known.language,
        expires_at=made.expires_at,
    )

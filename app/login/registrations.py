"""Asking for an account and confirming it. Whoever the NIK belongs to, the answer is the same; a phone learns more."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import LoketError, NotFound, Unavailable, Unprocessable
from app.ids import uuid7
from app.login.accounts import PROVEN_LEVEL, Displaced, NewAccount, create_account, displace_unproven
from app.login.codes import Ask, Made, Met, make_code, refusal_error, try_code
from app.login.courier import Note
from app.login.gate import Gate
from app.login.identity import Person
from app.login.identity_checks import asking, note_standing
from app.login.known_devices import device_token
from app.login.limits import may_warn
from app.login.models import APPLICATION, CONTACT, Citizen, Contact, Registration
from app.login.passwords import password_faults
from app.login.port import Claim, Standing
from app.login.proof import NOW, UNREACHABLE_S, NotLearned
from app.login.sessions import Opened, open_session
from app.login.trail import Step, keep
from app.texts import Language

# Entries that nobody may act under until the civil registry has put them right.
_UNUSABLE: Mapping[Standing, str] = {
    "deceased": "identity_deceased",
    "double": "identity_double",
    "inactive": "identity_inactive",
}


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

    Where the NIK has a proven account already no code will be right. Where it has any account, its own phone is told,
    a few times a day. The same rows and jobs are written in every case.
    """
    nik_index = gate.vault.index("nik", person.nik)
    warn = await may_warn(gate.limiter, nik_index.hex(), "registrations")
    async with gate.database.transaction() as session:
        holder = await _holder(session, nik_index)
        genuine = holder is None or holder.assurance_level < PROVEN_LEVEL
        made = make_code(session, gate.vault, Ask("registration", genuine=genuine))
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
        await gate.courier.send(session, _code_note(person.phone if genuine else None, made, language))
        await gate.courier.send(session, _warning_note(gate, holder if warn else None, made, language))
        return Started(registration.id, made.expires_at)


async def confirm(gate: Gate, registration_id: UUID, given: Confirmation) -> Opened:
    """Make the account where the code is right, at the level that the population register gives it now.

    The register is asked after the code: nobody learns from it, or spends of its quota, without the phone in hand.
    Raises NotFound, Unprocessable, Unavailable.
    """
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
    if not isinstance(outcome, Met):
        raise refusal_error(outcome)
    citizen_id = uuid7()
    standing = await _ask_register(gate, person, citizen_id)
    if standing is not None and standing in _UNUSABLE:
        raise Unprocessable(_UNUSABLE[standing])
    level = PROVEN_LEVEL if standing == "matched" else 1
    account = NewAccount(person, secret, registration.language, level, citizen_id)
    return await _open_account(gate, account, standing, given.device_name)


async def _ask_register(gate: Gate, person: Person, citizen_id: UUID) -> Standing | None:
    """What the register says; None where it could not be asked now."""
    claim = Claim(person.nik, person.name, person.birth_date)
    try:
        return await gate.proof.compare(claim, asking(citizen_id), NOW)
    except NotLearned:
        return None


async def _open_account(gate: Gate, account: NewAccount, standing: Standing | None, device_name: str) -> Opened:
    displaced = None
    async with gate.database.transaction() as session:
        if standing == "matched":
            displaced = await displace_unproven(session, gate.vault, account.person.nik, account.id)
        citizen_id = await create_account(session, gate.vault, account)
        if citizen_id is None:
            raise await _taken(session, gate.vault.index("nik", account.person.nik), standing)
        await note_standing(session, citizen_id, standing, gate)
        if displaced:
            await gate.courier.tell(session, displaced.citizen_id, "login.nik_proven_by_another", {})
        opened = await open_session(session, citizen_id, account.assurance_level, device_name)
        await keep(session, Step("opened", citizen_id, object_id=str(opened.session_id), fields=("registration",)))
    await _announce(gate, displaced)
    nik_index = gate.vault.index("nik", account.person.nik)
    return msgspec.structs.replace(opened, device_token=device_token(gate.vault, nik_index))


async def _taken(session: AsyncSession, nik_index: bytes, standing: Standing | None) -> LoketError:
    """Why there is no account: this NIK has one, and what was learned is not enough to take it."""
    holder = await _holder(session, nik_index)
    if holder is None or holder.assurance_level >= PROVEN_LEVEL:
        # Somebody proved it meanwhile: not told apart from a wrong code.
        return refusal_error("wrong")
    if standing is None:
        return Unavailable("register_unavailable", retry_after_s=int(UNREACHABLE_S))
    return Unprocessable("identity_unproven")


async def _announce(gate: Gate, displaced: Displaced | None) -> None:
    if displaced:
        await gate.revocations.announce(*displaced.sessions)
        await gate.profiles.changed(displaced.citizen_id)


class _Holder(msgspec.Struct, frozen=True):
    """The account that has a NIK."""

    assurance_level: int
    language: Language
    phone_enc: bytes | None


async def _holder(session: AsyncSession, nik_index: bytes) -> _Holder | None:
    phone = and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None))
    found = (
        select(Citizen.assurance_level, Citizen.language, Contact.value_enc)
        .outerjoin(Contact, phone)
        .where(Citizen.nik_index == nik_index)
    )
    row = (await session.execute(found)).one_or_none()
    return _Holder(row.assurance_level, "en" if row.language == "en" else "id", row.value_enc) if row else None


def _code_note(phone: str | None, made: Made, language: Language) -> Note:
    return Note(
        phone=phone,
        key="login.code_for_registration",
        params={"code": made.code},
        language=language,
        expires_at=made.expires_at,
    )


def _warning_note(gate: Gate, holder: _Holder | None, made: Made, language: Language) -> Note:
    """To the phone of the account that has the NIK; to nobody where there is none."""
    known = holder.phone_enc if holder else None
    return Note(
        phone=gate.vault.decrypt(known, CONTACT).decode() if known else None,
        key="login.already_registered",
        params={},
        language=holder.language if holder else language,
        expires_at=made.expires_at,
    )

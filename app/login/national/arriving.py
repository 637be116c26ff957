"""Whose account a proven identity opens. Accounts are joined by the proven NIK alone, never by a name or a phone."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.asking import SERVICE, asking
from app.audit.actions import AuditEntry, record
from app.errors import Conflict, LoketError
from app.ids import uuid7
from app.login.accounts import PROVEN_LEVEL, NewCitizen, add_citizen, displace_unproven
from app.login.arrivals import Arrival, let_in
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.models import BIRTH_DATE, NAME, Citizen, Session
from app.login.national.journeys import proven_by, use_up
from app.login.national.merging import merge
from app.login.national.models import NationalLink
from app.login.port import NationalIdentity, NationalPort
from app.login.sessions import Opened, end_sessions
from app.privacy import Vault
from app.texts import Language


class Device(msgspec.Struct, frozen=True):
    """What somebody logs in on."""

    name: str
    network: str


class Exchange(msgspec.Struct, frozen=True):
    """What an app brings. `claim`: an account that has this NIK and never proved it is somebody else's."""

    code: str
    code_verifier: str
    device: Device
    language: Language
    claim: bool = False


class _Found(msgspec.Struct, frozen=True):
    """The account, and sessions that ended as it was taken."""

    citizen_id: UUID
    ended: Sequence[UUID] = ()


async def log_in(gate: Gate, port: NationalPort, brought: Exchange) -> Opened:
    """A session of whoever it was. Raises Unprocessable, and Conflict where somebody unproven has the NIK."""
    async with gate.database.transaction() as session:
        outcome = await _log_in(session, gate, port, brought)
    return await _announced(gate, outcome)


async def join(gate: Gate, port: NationalPort, caller: Caller, brought: Exchange) -> Opened:
    """The same for somebody who is logged in and has proven nothing yet: what they did goes with them.

    Raises Unprocessable, and Conflict where the caller's account is proven to be somebody else's.
    """
    # Two accounts at once: the caller's own, and the one that is proven to be theirs as well.
    with asking(SERVICE):
        async with gate.database.transaction() as session:
            outcome = await _join(session, gate, port, (caller, brought))
    await gate.profiles.changed(caller.id)
    return await _announced(gate, outcome)


Outcome = tuple[Opened, Sequence[UUID]] | LoketError


async def _log_in(session: AsyncSession, gate: Gate, port: NationalPort, brought: Exchange) -> Outcome:
    person = await proven_by(session, gate, brought.code, brought.code_verifier)
    if isinstance(person, LoketError):
        return person
    found = await _account(session, gate.vault, person, brought)
    if found is None:
        raise Conflict("account_unproven")
    return await _opened(session, gate, port, (person, brought, found))


async def _join(session: AsyncSession, gate: Gate, port: NationalPort, given: tuple[Caller, Exchange]) -> Outcome:
    caller, brought = given
    person = await proven_by(session, gate, brought.code, brought.code_verifier)
    if isinstance(person, LoketError):
        return person
    mine = await session.get_one(Citizen, caller.id, with_for_update=True)
    ended = [*await end_sessions(session, Session.id == caller.session_id, "identity_proven")]
    if mine.nik_index == gate.vault.index("nik", person.nik):
        await _prove(session, gate.vault, mine.id, person)
        found = _Found(mine.id, ended)
    elif mine.assurance_level >= PROVEN_LEVEL:
        raise Conflict("identity_other_person")
    else:
        other = await _account(session, gate.vault, person, msgspec.structs.replace(brought, claim=True))
        if other is None:
            raise RuntimeError("a NIK that was claimed has no account")
        ended += [*other.ended, *await merge(session, gate.vault, caller.id, other.citizen_id)]
        found = _Found(other.citizen_id, ended)
    return await _opened(session, gate, port, (person, brought, found))


async def _opened(
    session: AsyncSession, gate: Gate, port: NationalPort, given: tuple[NationalIdentity, Exchange, _Found]
) -> Outcome:
    person, brought, found = given
    if not await _link(session, gate.vault, port, (person, found.citizen_id)):
        raise Conflict("identity_other_person")
    await use_up(session, brought.code)
    await _record(session, "identity.proven", found.citizen_id, port.provider)
    arrival = Arrival(found.citizen_id, "national", brought.device.name, brought.device.network)
    return await let_in(session, gate, arrival), found.ended


async def _account(session: AsyncSession, vault: Vault, person: NationalIdentity, brought: Exchange) -> _Found | None:
    """The account of a NIK, made where there is none; None where an unproven one has it and is not to lose it."""
    nik_index = vault.index("nik", person.nik)
    asked = select(Citizen.id, Citizen.assurance_level).where(Citizen.nik_index == nik_index).with_for_update()
    row = (await session.execute(asked)).one_or_none()
    if row is not None and row.assurance_level >= PROVEN_LEVEL:
        return _Found(row.id)
    if row is not None and not brought.claim:
        return None
    new = NewCitizen(uuid7(), person.nik, person.name, person.birth_date, brought.language, PROVEN_LEVEL)
    displaced = await displace_unproven(session, vault, person.nik, new.id)
    if await add_citizen(session, vault, new) is None:
        # Somebody came first by a moment: whoever that was is asked again.
        return await _account(session, vault, person, brought)
    return _Found(new.id, displaced.sessions if displaced else ())


async def _prove(session: AsyncSession, vault: Vault, citizen_id: UUID, person: NationalIdentity) -> None:
    """The account is its NIK's owner's: its name and birth date are now the state's."""
    await session.execute(
        update(Citizen)
        .where(Citizen.id == citizen_id)
        .values(
            assurance_level=PROVEN_LEVEL,
            name_enc=vault.encrypt(person.name.encode(), NAME),
            birth_date_enc=vault.encrypt(person.birth_date.isoformat().encode(), BIRTH_DATE),
        )
    )


async def _link(session: AsyncSession, vault: Vault, port: NationalPort, given: tuple[NationalIdentity, UUID]) -> bool:
    """False where the provider has named another citizen by this subject: a NIK was changed there, or here."""
    person, citizen_id = given
    subject_index = vault.lasting_name(f"national {port.provider}", person.subject)
    await session.execute(
        insert(NationalLink)
        .values(id=uuid7(), citizen_id=citizen_id, provider=port.provider, subject_index=subject_index)
        .on_conflict_do_nothing()
    )
    linked = await session.scalar(
        select(NationalLink.citizen_id).where(
            NationalLink.provider == port.provider, NationalLink.subject_index == subject_index
        )
    )
    return linked == citizen_id


async def _announced(gate: Gate, outcome: Outcome) -> Opened:
    if isinstance(outcome, LoketError):
        raise outcome
    opened, ended = outcome
    await gate.revocations.announce(*ended)
    await gate.profiles.changed(opened.citizen_id)
    return opened


async def _record(session: AsyncSession, action: str, citizen_id: UUID, provider: str) -> None:
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(citizen_id),
        action=action,
        subject_id=citizen_id,
        object_kind="national_identity",
        object_id=provider,
        purpose="identity-proof",
        legal_basis="uu-25-2009",
        fields=("nik", "name", "birth_date"),
    )
    await record(session, entry)

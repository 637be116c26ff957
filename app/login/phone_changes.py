"""Another phone: a code to the new number, and one to the old. Where the old one gives none, it has a day to object."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import FieldError, LoketError, NotFound, Unprocessable
from app.login.codes import Ask, Made, Met, make_code, refusal_error, reopen, try_code
from app.login.contacts import Reach, reach_of, warn
from app.login.courier import Note
from app.login.gate import Gate
from app.login.models import CONTACT, NEW_PHONE, Citizen, Contact, PhoneChange, Purpose
from app.login.trail import Step, keep
from app.privacy import mask_phone

OBJECTION = timedelta(hours=24)
_AT_ONCE = 50

State = Literal["asked", "waiting", "done"]


class Standing(msgspec.Struct, frozen=True):
    """How far a change is. `phone` is masked. `due_at`: when it takes effect, where the old number did not confirm."""

    phone: str
    state: State
    expires_at: datetime
    due_at: datetime | None


async def ask_phone_change(gate: Gate, citizen_id: UUID, phone: str) -> Standing:
    """Send both codes; a change that was asked for before is forgotten. `phone` is E.164. Raises Unprocessable."""
    async with gate.database.transaction() as session:
        reach = await reach_of(session, gate, citizen_id)
        if reach and reach.phone == phone:
            raise Unprocessable(errors=[FieldError("/phone", "phone_same")])
        new = make_code(session, gate.vault, Ask("new_phone", genuine=True, citizen_id=citizen_id))
        old = make_code(session, gate.vault, Ask("old_phone", genuine=reach is not None, citizen_id=citizen_id))
        await session.flush()
        change = {
            "phone_enc": gate.vault.encrypt(phone.encode(), NEW_PHONE),
            "new_challenge_id": new.challenge_id,
            "old_challenge_id": old.challenge_id,
            "expires_at": new.expires_at,
            "due_at": None,
            "created_at": func.now(),
        }
        written = insert(PhoneChange).values(citizen_id=citizen_id, **change)
        await session.execute(written.on_conflict_do_update(index_elements=[PhoneChange.citizen_id], set_=change))
        language = await session.scalar(select(Citizen.language).where(Citizen.id == citizen_id))
        await _send(session, gate, Reach(phone, "en" if language == "en" else "id", utc_now()), new, {})
        if reach:
            await _send(session, gate, reach, old, {"phone": mask_phone(phone)})
        await keep(session, Step("phone_change_asked", citizen_id, "phone"))
    return Standing(mask_phone(phone), "asked", new.expires_at, None)


async def confirm_phone_change(gate: Gate, citizen_id: UUID, code: str, old_code: str | None) -> Standing:
    """With both codes it takes effect now, with the new number's alone in a day. Raises NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        change = await _standing_change(session, citizen_id)
        outcome: Standing | LoketError | None = await _codes_refused(session, gate, change, code, old_code)
        if outcome is None:
            outcome = await _confirmed(session, gate, change, at_once=old_code is not None)
    if isinstance(outcome, LoketError):
        raise outcome
    await gate.profiles.changed(citizen_id)
    return outcome


async def phone_change_of(gate: Gate, citizen_id: UUID) -> Standing:
    """Raises NotFound where none is under way."""
    async with gate.database.transaction() as session:
        change = await _standing_change(session, citizen_id)
    return Standing(_masked(gate, change), "waiting" if change.due_at else "asked", change.expires_at, change.due_at)


async def stop_phone_change(gate: Gate, citizen_id: UUID) -> None:
    """Raises NotFound where none is under way."""
    async with gate.database.transaction() as session:
        change = await _standing_change(session, citizen_id)
        await session.delete(change)
        await keep(session, Step("phone_change_stopped", citizen_id, "phone"))
        await gate.courier.tell(session, citizen_id, "login.phone_change_stopped", {"phone": _masked(gate, change)})


async def settle_phone_changes(gate: Gate) -> int:
    """Let those take effect to which nobody objected in time; how many. A worker calls it again and again."""
    async with gate.database.transaction() as session:
        due = select(PhoneChange).where(PhoneChange.due_at <= func.now()).limit(_AT_ONCE)
        changes = (await session.scalars(due.with_for_update(skip_locked=True))).all()
        for change in changes:
            await _apply(session, gate, change)
        await session.execute(
            delete(PhoneChange)
            .where(PhoneChange.due_at.is_(None), PhoneChange.expires_at < func.now() - OBJECTION)
            .execution_options(synchronize_session=False)
        )
    for change in changes:
        await gate.profiles.changed(change.citizen_id)
    return len(changes)


async def _standing_change(session: AsyncSession, citizen_id: UUID) -> PhoneChange:
    standing = PhoneChange.due_at.is_not(None) | (PhoneChange.expires_at > func.now())
    found = select(PhoneChange).where(PhoneChange.citizen_id == citizen_id, standing).with_for_update()
    change = await session.scalar(found)
    if change is None:
        raise NotFound("phone_change_missing")
    return change


async def _codes_refused(
    session: AsyncSession, gate: Gate, change: PhoneChange, code: str, old_code: str | None
) -> LoketError | None:
    """Why not. The old number's code goes first, and counts as unused again where the new number's is wrong."""
    asked: list[tuple[Purpose, UUID | None, str, str]] = [("new_phone", change.new_challenge_id, code, "/code")]
    if old_code is not None:
        asked.insert(0, ("old_phone", change.old_challenge_id, old_code, "/old_code"))
    met: list[UUID] = []
    for purpose, challenge_id, given, pointer in asked:
        if challenge_id is None:
            return NotFound("phone_change_missing")
        outcome = await try_code(session, gate.vault, purpose, challenge_id, given)
        if not isinstance(outcome, Met):
            for earlier in met:
                await reopen(session, earlier)
            return _at(refusal_error(outcome), pointer)
        met.append(challenge_id)
    return None


async def _confirmed(session: AsyncSession, gate: Gate, change: PhoneChange, *, at_once: bool) -> Standing:
    masked = _masked(gate, change)
    reach = await reach_of(session, gate, change.citizen_id)
    await keep(session, Step("phone_change_confirmed", change.citizen_id, "phone"))
    if at_once or reach is None:
        await _apply(session, gate, change)
        return Standing(masked, "done", change.expires_at, None)
    change.new_challenge_id = change.old_challenge_id = None
    change.due_at = utc_now() + OBJECTION
    told = {"phone": masked, "hours": str(OBJECTION // timedelta(hours=1))}
    await gate.courier.tell(session, change.citizen_id, "login.phone_change_waits", told)
    return Standing(masked, "waiting", change.expires_at, change.due_at)


async def _apply(session: AsyncSession, gate: Gate, change: PhoneChange) -> None:
    """The old number is told, not the inbox alone: it is the one that would object."""
    reach = await reach_of(session, gate, change.citizen_id)
    phone = gate.vault.decrypt(change.phone_enc, NEW_PHONE).decode()
    if reach:
        await warn(session, gate, reach, "login.phone_changed_old", {"phone": mask_phone(phone)})
    held = (Contact.citizen_id == change.citizen_id) & (Contact.kind == "phone")
    await session.execute(delete(Contact).where(held).execution_options(synchronize_session=False))
    session.add(
        Contact(
            citizen_id=change.citizen_id,
            kind="phone",
            value_enc=gate.vault.encrypt(phone.encode(), CONTACT),
            value_index=gate.vault.index("phone", phone),
            confirmed_at=func.now(),
            proven_at=func.now(),
        )
    )
    await session.delete(change)
    await session.flush()
    await keep(session, Step("phone_changed", change.citizen_id, "phone"))
    await gate.courier.tell(session, change.citizen_id, "login.phone_changed", {"phone": mask_phone(phone)})


async def _send(session: AsyncSession, gate: Gate, reach: Reach, made: Made, more: dict[str, str]) -> None:
    """The old number's message names the new one; the new number's names nothing."""
    key = "login.code_for_old_phone" if more else "login.code_for_new_phone"
    params = {"code": made.code, **more}
    note = Note(phone=reach.phone, key=key, params=params, language=reach.language, expires_at=made.expires_at)
    await gate.courier.send(session, note)


def _masked(gate: Gate, change: PhoneChange) -> str:
    return mask_phone(gate.vault.decrypt(change.phone_enc, NEW_PHONE).decode())


def _at(error: LoketError, pointer: str) -> LoketError:
    """The same refusal, at the field it is about."""
    error.errors = [FieldError(pointer, fault.code, fault.params) for fault in error.errors]
    return error

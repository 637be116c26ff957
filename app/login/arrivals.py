"""Letting somebody in who has proven who they are, in whatever way: session, level, audit row, word to the citizen."""

from typing import Literal
from uuid import UUID

import msgspec
from msgspec import structs
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.codes import lift_lock
from app.login.gate import Gate
from app.login.known_devices import device_token
from app.login.models import Citizen, Contact
from app.login.sessions import Opened, open_session, prove_session
from app.login.trail import Step, keep

Method = Literal["otp", "passkey", "recovery", "national"]


class Arrival(msgspec.Struct, frozen=True):
    """Who comes, how that was proven, and on what. `known_device`: this account was used on it before."""

    citizen_id: UUID
    method: Method
    device_name: str = ""
    network: str = ""
    known_device: bool = False


async def let_in(session: AsyncSession, gate: Gate, arrival: Arrival) -> Opened:
    """A new session in the caller's transaction. On a device that is new to the account its citizen is told."""
    found = select(Citizen.assurance_level, Citizen.nik_index).where(Citizen.id == arrival.citizen_id)
    level, nik_index = (await session.execute(found)).one()
    # Logged in from wherever: the citizen is about, and strangers' tries begin at nought again.
    await lift_lock(session, nik_index, "login")
    await lift_lock(session, nik_index, "recovery")
    opened = await open_session(session, arrival.citizen_id, level, arrival.device_name, arrival.network)
    opened = structs.replace(opened, device_token=device_token(gate.vault, nik_index))
    if arrival.method in ("passkey", "national"):
        proven = await prove_session(session, opened.session_id, arrival.method)
        if proven:
            opened = structs.replace(opened, assurance_level=proven.assurance_level, raised_until=proven.raised_until)
    elif arrival.method in ("otp", "recovery"):
        await note_phone_proven(session, arrival.citizen_id)
    await keep(session, Step("opened", arrival.citizen_id, object_id=str(opened.session_id), fields=(arrival.method,)))
    if not arrival.known_device:
        told = {"device": arrival.device_name or "-", "network": arrival.network or "-"}
        await gate.courier.tell(session, arrival.citizen_id, "login.new_device", told)
    return opened


async def note_phone_proven(session: AsyncSession, citizen_id: UUID) -> None:
    """A code that was sent to the citizen's phone came back just now."""
    phone = (Contact.citizen_id == citizen_id) & (Contact.kind == "phone") & Contact.confirmed_at.is_not(None)
    await session.execute(
        update(Contact).where(phone).values(proven_at=func.now()).execution_options(synchronize_session=False)
    )

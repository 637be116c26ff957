"""The confirmed phone of a citizen, and sending a code or a warning to it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.login.codes import Made
from app.login.courier import Note
from app.login.gate import Gate
from app.login.models import CONTACT, Citizen, Contact
from app.texts import Language

# A warning that comes a day late still warns.
WARNING_LIFE = timedelta(days=1)
CONFIRMED_PHONE = and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None))


class Reach(msgspec.Struct, frozen=True):
    """Where and in which language a citizen is written to. `proven_at`: when a code last came back from there."""

    phone: str
    language: Language
    proven_at: datetime


async def reach_of(session: AsyncSession, gate: Gate, citizen_id: UUID) -> Reach | None:
    """None where there is no confirmed phone."""
    found = (
        select(Citizen.language, Contact.value_enc, func.coalesce(Contact.proven_at, Contact.confirmed_at))
        .join(Contact, CONFIRMED_PHONE)
        .where(Citizen.id == citizen_id)
    )
    row = (await session.execute(found)).one_or_none()
    if row is None:
        return None
    language, value, proven_at = row
    return Reach(gate.vault.decrypt(value, CONTACT).decode(), "en" if language == "en" else "id", proven_at)


async def send_code(session: AsyncSession, gate: Gate, citizen_id: UUID, made: Made, key: str) -> bool:
    """False where there is no phone to send it to."""
    reach = await reach_of(session, gate, citizen_id)
    if reach is None:
        return False
    params = {"code": made.code}
    note = Note(phone=reach.phone, key=key, params=params, language=reach.language, expires_at=made.expires_at)
    await gate.courier.send(session, note)
    return True


async def warn(session: AsyncSession, gate: Gate, reach: Reach, key: str, params: Mapping[str, str]) -> None:
    """A note to a number that is, or was, the citizen's: it stands in no inbox."""
    note = Note(phone=reach.phone, key=key, params=params, language=reach.language, expires_at=utc_now() + WARNING_LIFE)
    await gate.courier.send(session, note)

"""What a citizen may see of themselves, kept for two seconds so that most requests need no row and no decryption."""

import time
from collections import OrderedDict
from datetime import date, datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, select

from app.database import Database
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK, Citizen, Contact
from app.privacy import Vault, mask_nik, mask_phone
from app.texts import Language
from app.valkey import Valkey

CHANNEL = "loket.profiles.changed"
FRESH_S = 2.0
_MOST_KEPT = 5_000

# Built once: this is the hottest read of the product.
_PROFILE = select(
    Citizen.nik_enc,
    Citizen.name_enc,
    Citizen.birth_date_enc,
    Citizen.assurance_level,
    Citizen.language,
    Citizen.created_at,
    Contact.value_enc,
).outerjoin(Contact, and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None)))


class Profile(msgspec.Struct, frozen=True):
    """One's own data. NIK and phone are masked: whoever holds the phone for a moment must not read them off."""

    id: UUID
    nik: str
    name: str
    birth_date: date
    phone: str | None
    assurance_level: int
    language: Language
    created_at: datetime


class Profiles:
    """This process's copies. Valkey tells every process of a change; without it a copy is stale for FRESH_S at most."""

    def __init__(self, database: Database, vault: Vault, valkey: Valkey) -> None:
        self._database = database
        self._vault = vault
        self._valkey = valkey
        self._kept: OrderedDict[UUID, tuple[float, Profile]] = OrderedDict()
        valkey.listen(CHANNEL, self._heard)

    async def get(self, citizen_id: UUID) -> Profile | None:
        kept = self._kept.get(citizen_id)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        read_at = time.monotonic()
        profile = await self._read(citizen_id)
        if profile:
            self._kept[citizen_id] = (read_at + FRESH_S, profile)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return profile

    async def changed(self, citizen_id: UUID) -> None:
        """Forget a copy everywhere. Call it after the commit that changed the citizen."""
        self._kept.pop(citizen_id, None)
        await self._valkey.publish(CHANNEL, citizen_id.bytes)

    def _heard(self, message: bytes) -> None:
        if len(message) == 16:
            self._kept.pop(UUID(bytes=message), None)

    async def _read(self, citizen_id: UUID) -> Profile | None:
        async with self._database.transaction() as session:
            row = (await session.execute(_PROFILE.where(Citizen.id == citizen_id))).one_or_none()
        if row is None:
            return None
        return Profile(
            id=citizen_id,
            nik=mask_nik(self._vault.decrypt(row.nik_enc, NIK).decode()),
            name=self._vault.decrypt(row.name_enc, NAME).decode(),
            birth_date=date.fromisoformat(self._vault.decrypt(row.birth_date_enc, BIRTH_DATE).decode()),
            phone=mask_phone(self._vault.decrypt(row.value_enc, CONTACT).decode()) if row.value_enc else None,
            assurance_level=row.assurance_level,
            language="en" if row.language == "en" else "id",
            created_at=row.created_at,
        )

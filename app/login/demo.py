"""The demo's citizens: fictitious people, the same on every machine. Never in production."""

from collections.abc import Sequence
from datetime import date

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.login.accounts import NewAccount, create_account
from app.login.identity import Person
from app.login.keys import KeyRing
from app.login.models import Citizen
from app.login.passwords import PasswordHasher
from app.login.sessions import open_session
from app.login.tokens import AccessTokens
from app.privacy import Vault
from app.settings import Settings, SettingsError

DEMO_PASSWORD = "Loket-Demo-2026"  # noqa: S105 - published: design of the demo


class DemoCitizen(msgspec.Struct, frozen=True):
    """`assurance_level` 2: the demo's population register knows them."""

    person: Person
    assurance_level: int


DEMO_CITIZENS: Sequence[DemoCitizen] = (
    DemoCitizen(Person("3571024505909001", "Siti Aminah", date(1990, 5, 5), "+6281290019001"), 2),
    DemoCitizen(Person("3571011708859002", "Budi Santoso", date(1985, 8, 17), "+6281290019002"), 2),
    DemoCitizen(Person("3571036011009003", "Dewi Lestari", date(2000, 11, 20), "+6281290019003"), 2),
    DemoCitizen(Person("3571010101759004", "Rahmat", date(1975, 1, 1), "+6281290019004"), 1),
)


async def seed_demo(session: AsyncSession, vault: Vault, settings: Settings) -> int:
    """Make the demo citizens that are not there yet; how many were made. Raises SettingsError in production."""
    refuse_production(settings)
    indexes = {vault.index("nik", demo.person.nik): demo for demo in DEMO_CITIZENS}
    known = set(await session.scalars(select(Citizen.nik_index).where(Citizen.nik_index.in_(indexes))))
    missing = [demo for index, demo in indexes.items() if index not in known]
    if not missing:
        return 0
    passwords = PasswordHasher()
    try:
        for demo in missing:
            secret = await passwords.hash(DEMO_PASSWORD)
            await create_account(session, vault, NewAccount(demo.person, secret, "id", demo.assurance_level))
    finally:
        passwords.close()
    return len(missing)


async def demo_token(database: Database, vault: Vault, settings: Settings, nik: str) -> str:
    """An access token of a real new session. Raises SettingsError in production, KeyError for anybody else."""
    refuse_production(settings)
    if not any(demo.person.nik == nik for demo in DEMO_CITIZENS):
        raise KeyError(nik)
    keys = KeyRing(database, vault)
    await keys.open()
    async with database.transaction() as session:
        found = select(Citizen.id, Citizen.assurance_level).where(Citizen.nik_index == vault.index("nik", nik))
        row = (await session.execute(found)).one_or_none()
        if row is None:
            raise KeyError(nik)
        opened = await open_session(session, row.id, row.assurance_level, "loket demo token")
    return AccessTokens(keys, settings.issuer).issue(opened.citizen_id, opened.session_id, opened.assurance_level)


def refuse_production(settings: Settings) -> None:
    if not settings.is_demo:
        raise SettingsError("demo accounts exist only with LOKET_ENV=demo")

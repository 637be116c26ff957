"""The demo's officers: fictitious, the same on every machine. Never in production."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.login.demo import DEMO_PASSWORD, refuse_production
from app.login.guards import Role
from app.login.keys import KeyRing
from app.login.officers.accounts import Factors, NewOfficer, new_account
from app.login.officers.models import OfficerAccount
from app.login.officers.sessions import Place, open_officer_session
from app.login.officers.tokens import OfficerTokens
from app.login.passwords import PasswordHasher
from app.privacy import Vault
from app.settings import Settings

DEMO_TOTP_SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105 - published: design of the demo


class DemoOfficer(msgspec.Struct, frozen=True):
    full_name: str
    role: Role
    agency: str = ""


DEMO_OFFICERS: Mapping[str, DemoOfficer] = {
    "operator.dpmptsp": DemoOfficer("Ayu Wulandari", "operator", "dpmptsp"),
    "operator.dinkes": DemoOfficer("Bagus Prasetyo", "operator", "dinkes"),
    "operator.dinsos": DemoOfficer("Citra Maharani", "operator", "dinsos"),
    "supervisor.dpmptsp": DemoOfficer("Dimas Nugroho", "supervisor", "dpmptsp"),
    "head.dinkes": DemoOfficer("Endah Lestari", "agency_head", "dinkes"),
    "admin.diskominfo": DemoOfficer("Fajar Hidayat", "city_admin"),
    "auditor": DemoOfficer("Galih Saputra", "auditor"),
}


def is_demo_officer(who: str) -> bool:
    return who in DEMO_OFFICERS


async def seed_demo_officers(session: AsyncSession, vault: Vault, settings: Settings) -> int:
    """Make the demo officers that are not there yet; how many were made. Raises SettingsError in production."""
    refuse_production(settings)
    known = set(await session.scalars(select(OfficerAccount.name).where(OfficerAccount.name.in_(DEMO_OFFICERS))))
    missing = {name: demo for name, demo in DEMO_OFFICERS.items() if name not in known}
    if not missing:
        return 0
    passwords = PasswordHasher()
    try:
        # One hash for all: the password is published anyway.
        factors = Factors(await passwords.hash(DEMO_PASSWORD), DEMO_TOTP_SECRET)
    finally:
        passwords.close()
    for name, demo in missing.items():
        new = NewOfficer(
            name=name, full_name=demo.full_name, agency=demo.agency, role=demo.role, created_by="loket seed"
        )
        new_account(session, vault, new, factors)
    return len(missing)


async def demo_officer_token(database: Database, vault: Vault, settings: Settings, name: str) -> str:
    """An access token of a real new session. Raises SettingsError in production, KeyError where nothing is seeded."""
    refuse_production(settings)
    keys = KeyRing(database, vault)
    await keys.open()
    async with database.transaction() as session:
        officer_id = await session.scalar(select(OfficerAccount.id).where(OfficerAccount.name == name))
        if officer_id is None:
            raise KeyError(name)
        opened = open_officer_session(session, vault, officer_id, "token", Place("loket demo token", ""))
    return OfficerTokens(keys, settings.issuer).issue(officer_id, opened.session_id)

"""Officers' accounts: making one, and the time-based codes that are their second proof."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.ids import uuid7
from app.login.guards import Role
from app.login.officers.models import FULL_NAME, PHONE, TOTP, OfficerAccount
from app.privacy import Vault
from app.texts import Language

CITY_WIDE: frozenset[Role] = frozenset({"city_admin", "auditor"})


class NewOfficer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be made an officer. `agency` is "" for the roles of the whole city; `created_by` stands in the row."""

    name: str
    full_name: str
    agency: str
    role: Role
    created_by: str
    phone: str = ""
    language: Language = "id"


class Factors(msgspec.Struct, frozen=True):
    """What an officer proves themselves with: the hash of a password, and the secret that codes are made from."""

    password_hash: str
    totp_secret: str


def new_account(session: AsyncSession, vault: Vault, new: NewOfficer, factors: Factors | None = None) -> OfficerAccount:
    """An account in the caller's transaction: active with its factors, without them waiting for its invitation."""
    account = OfficerAccount(
        id=uuid7(),
        name=new.name,
        full_name_enc=vault.encrypt(new.full_name.encode(), FULL_NAME),
        phone_enc=vault.encrypt(new.phone.encode(), PHONE) if new.phone else None,
        agency=new.agency,
        role=new.role,
        state="active" if factors else "invited",
        language=new.language,
        password_hash=factors.password_hash if factors else "",
        totp_enc=vault.encrypt(factors.totp_secret.encode(), TOTP) if factors else None,
        created_by=new.created_by,
    )
    session.add(account)
    return account

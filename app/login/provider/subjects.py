"""Who a citizen is to one client: names that two clients cannot compare, and the claims a scope lets them have."""

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.models import BIRTH_DATE, NAME, NIK, Citizen
from app.privacy import Vault

# What is read of a citizen for each scope; `openid` alone tells nothing but `sub`.
FIELDS: Mapping[str, Sequence[str]] = {"profile": ("name", "birthdate"), "nik": ("nik",)}


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer of userinfo (OpenID Connect Core, 5.3)."""

    sub: str
    name: str | None = None
    birthdate: date | None = None
    nik: str | None = None


def subject(vault: Vault, sector: str, citizen_id: UUID) -> str:
    """The citizen's name in a sector: the same for all its clients, and unlike that of any other sector."""
    return _named(vault.lasting_name("oidc.sub", f"{sector}\0{citizen_id}"))


def session_name(vault: Vault, client_id: str, session_id: UUID) -> str:
    """The `sid` by which one client knows a session."""
    return _named(vault.lasting_name("oidc.sid", f"{client_id}\0{session_id}"))


def told(scopes: Sequence[str]) -> list[str]:
    """The fields that these scopes give."""
    return [field for scope in scopes for field in FIELDS.get(scope, ())]


async def read_claims(
    session: AsyncSession, vault: Vault, citizen_id: UUID, fields: Sequence[str]
) -> Mapping[str, str]:
    """Those of a citizen's fields, decrypted; nothing else is. The caller records who asked."""
    if not fields:
        return {}
    row = (
        await session.execute(
            select(Citizen.nik_enc, Citizen.name_enc, Citizen.birth_date_enc).where(Citizen.id == citizen_id)
        )
    ).one()
    sealed = {"name": (row.name_enc, NAME), "birthdate": (row.birth_date_enc, BIRTH_DATE), "nik": (row.nik_enc, NIK)}
    return {field: vault.decrypt(*sealed[field]).decode() for field in fields}


def _named(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

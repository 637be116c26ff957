"""`loket officers`: accounts from the terminal, above all the first city admins. Whoever has it is trusted with all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access_log.wording import officer_mark
from app.catalog.city import load_city
from app.database import Database
from app.errors import LoketError
from app.keyring.standing import require_standing_keys
from app.login.guards import Officer
from app.login.officers import accounts
from app.login.officers.adding import checked_officer
from app.login.officers.models import OfficerAccount
from app.login.officers.schemas import OfficerRequested
from app.privacy import open_vault
from app.settings import Settings, SettingsError
from app.texts import load_texts, text, text_roots

_NOBODY = UUID(int=0)
_CITY = Officer("officer", _NOBODY, "terminal", "", "city_admin", _NOBODY)
_MOST = 10_000


async def add(settings: Settings, told: dict[str, Any], officer: str) -> str:
    """Add an account; what to print, its invitation among it. Raises SettingsError saying what is wrong."""
    agencies = {agency.id for agency in load_city(settings.city).agency}
    async with _transaction(settings) as session:
        new = checked_officer(msgspec.convert(told, OfficerRequested), agencies, officer)
        account, invitation = await accounts.add(session, open_vault(settings), new)
    return (
        f"name           {account.name}\ninvitation     {invitation.word}\n"
        f"valid until    {invitation.expires_at:%Y-%m-%d %H:%M} UTC\n"
        f"Used once at {settings.issuer}/dashboard/enrolment; we keep its hash only."
    )


async def listed(settings: Settings) -> Sequence[str]:
    """A line for each account, with the mark that citizens know it by."""
    async with _transaction(settings) as session:
        vault = open_vault(settings)
        found = await accounts.listed(session, vault, _CITY, _MOST, "")
    return [
        f"{each.name:32} {each.role:12} {each.agency or '-':14} {each.state:8} {officer_mark(vault, str(each.id))}"
        for each in found
    ]


async def disable(settings: Settings, name: str, officer: str) -> None:
    """Raises SettingsError where there is none."""
    async with _transaction(settings) as session:
        account = await session.scalar(select(OfficerAccount).where(OfficerAccount.name == name).with_for_update())
        if account is None:
            raise SettingsError(f"no officer {name!r}")
        await accounts.shut(session, account, officer)


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[AsyncSession]:
    database = Database(settings.database_url, pool_size=1, name="officers")
    load_texts(*text_roots())
    try:
        await require_standing_keys(database, open_vault(settings))
        async with database.transaction() as session:
            yield session
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from None
    except LoketError as error:
        faults = [text(f"field.{fault.code}", "en", fault.params) for fault in error.errors]
        raise SettingsError(" ".join(faults) or text(f"error.{error.code}", "en", error.params)) from None
    finally:
        await database.close()

"""`loket clients` and `loket keys`: agencies' applications and the keys we sign with, from the terminal."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.catalog.catalog import Catalog
from app.database import Database
from app.errors import NotFound
from app.keyring.standing import require_standing_keys
from app.login.keys import PUBLISHED_S, NotYet, list_keys, rotate_keys
from app.login.provider.clients import Application, ClientRefused, add_client, list_clients, remove_client
from app.privacy import data_keys, open_vault
from app.settings import Settings, SettingsError


async def add(settings: Settings, asked: Application, officer: str) -> str:
    """Register an application; what to print, its secret among it. Raises SettingsError saying what is wrong."""
    try:
        Catalog.load(settings.city).agency(asked.agency)
        async with _transaction(settings) as session:
            secret = await add_client(session, asked, demo=settings.is_demo)
            await _record(session, officer, "client.added", ("client", asked.id), asked.scopes)
    except NotFound:
        raise SettingsError(f"{settings.city} has no agency {asked.agency!r}") from None
    except ClientRefused as error:
        raise SettingsError(str(error)) from None
    proof = (
        f"client_secret  {secret}\nIt is shown this once: we keep its hash only."
        if secret
        else "It signs with its own key."
    )
    return f"client_id      {asked.id}\nissuer         {settings.issuer}\n{proof}"


async def listed(settings: Settings) -> Sequence[str]:
    """A line for each application."""
    async with _transaction(settings) as session:
        return [
            f"{each.id:24} {each.agency:12} {each.auth_method:20} {' '.join(each.scopes)}"
            for each in await list_clients(session)
        ]


async def remove(settings: Settings, client_id: str, officer: str) -> None:
    """Raises SettingsError where there is none."""
    async with _transaction(settings) as session:
        if not await remove_client(session, client_id):
            raise SettingsError(f"no application {client_id!r}")
        await _record(session, officer, "client.removed", ("client", client_id))


async def rotate(settings: Settings, officer: str, *, compromised: bool) -> str:
    """The kid that signs from now on. Raises SettingsError where the next key is too new."""
    try:
        async with _transaction(settings) as session:
            kid = await rotate_keys(session, open_vault(settings), compromised=compromised)
            await _record(session, officer, "key.withdrawn" if compromised else "key.rotated", ("key", kid))
            return kid
    except NotYet:
        raise SettingsError(
            f"the next key is published for less than {PUBLISHED_S // 60} minutes: clients may not have it yet. "
            "--compromised does not wait"
        ) from None


async def note_data_rotation(settings: Settings, officer: str) -> None:
    """That somebody has everything encrypted anew, before it begins; nothing where there is no new key to do it with,
    which `rotate_data` refuses."""
    if settings.data_key and len(data_keys(settings)) == 1:
        return
    async with _transaction(settings) as session:
        key_id = open_vault(settings).standing["data"][0]
        await _record(session, officer, "key.data_rotated", ("key", key_id))


async def listed_keys(settings: Settings) -> Sequence[str]:
    """A line for each key, oldest first."""
    async with _transaction(settings) as session:
        return [f"{key.kid}  {key.state:8} {key.created_at:%Y-%m-%d %H:%M} UTC" for key in await list_keys(session)]


def read_public_keys(path: Path | None) -> Sequence[dict[str, object]]:
    """The keys of a JWKS file. Raises SettingsError."""
    if path is None:
        return ()
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, object]]])["keys"]
    except (OSError, KeyError, msgspec.DecodeError):
        raise SettingsError(f"{path} is no JSON Web Key Set") from None
    return keys


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[AsyncSession]:
    database = Database(settings.database_url, pool_size=1, name="clients")
    try:
        await require_standing_keys(database, open_vault(settings))
        async with database.transaction() as session:
            yield session
    finally:
        await database.close()


async def _record(
    session: AsyncSession, officer: str, action: str, thing: tuple[str, str], fields: Sequence[str] = ()
) -> None:
    """`thing`: of which kind, and its id."""
    kind, object_id = thing
    entry = AuditEntry(
        actor_kind="officer",
        actor_id=officer,
        action=action,
        subject_id=None,
        object_kind=kind,
        object_id=object_id,
        purpose="applications" if kind == "client" else "keys",
        legal_basis="",
        fields=list(fields),
    )
    await record(session, entry)

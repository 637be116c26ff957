"""A process whose keys are not this database's own does not start, and no name that was given out ever changes."""

import base64
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest

from app.database import Database
from app.keyring.standing import require_standing_keys
from app.login.provider.subjects import session_name, subject
from app.privacy import Keys, Vault, open_vault
from app.settings import SettingsError, read_settings
from tests.harness.keys import new_key
from tests.harness.people import People
from tests.harness.product import Api, Running
from tests.harness.servers import Servers
from tests.harness.tables import Tables

SECTOR, CITIZEN = "pajak.kota.example", UUID("0193e3a0-7b00-7000-8000-000000000001")
# What the releases before gave out with an index key of 32 bytes 1: it stands in applications' own databases.
SUBJECT = "KIxLNkDOK96cqAbBVBSMpP9gYRg2Xck_6vWn7nMUkdg"
SESSION = "Ybyp9tDNpkYJEEGXYZaJuqQy27VCVHrb5Upi383AhHU"


@pytest.fixture
async def database(api: Api) -> AsyncIterator[Database]:
    opened = Database(api.settings.database_url, pool_size=1, name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def tables(api: Api) -> AsyncIterator[Tables]:
    async with Tables(api.settings.migration_database_url) as opened:
        yield opened


async def test_without_a_names_key_every_name_stays_what_it_was(environment: dict[str, str]) -> None:
    first = {**environment, "LOKET_INDEX_KEY": written(bytes([1]) * 32)}
    later = {**environment, "LOKET_INDEX_KEY": written(new_key()), "LOKET_NAMES_KEY": written(bytes([1]) * 32)}
    for given in (first, later):
        vault = open_vault(read_settings(given))
        assert subject(vault, SECTOR, CITIZEN) == SUBJECT
        assert session_name(vault, "pajak", CITIZEN) == SESSION


async def test_other_keys_are_refused_and_named(api: Api, database: Database) -> None:
    ours = open_vault(api.settings)
    await require_standing_keys(database, ours)
    data, index, names = new_key(), new_key(), new_key()
    with pytest.raises(SettingsError, match=f"LOKET_INDEX_KEY lacks the key with the id {ours.standing['index'][0]}"):
        await require_standing_keys(database, Vault(Keys([data], [index], names)))
    file = (api.settings.data_dir / "secrets" / "index.key").read_text("ascii").strip()
    named = read_settings({**_variables(api), "LOKET_INDEX_KEY": file, "LOKET_NAMES_KEY": written(names)})
    with pytest.raises(SettingsError, match=f"LOKET_NAMES_KEY is not the key with the id {ours.standing['names'][0]}"):
        await require_standing_keys(database, open_vault(named))


async def test_a_database_from_before_is_taken_for_what_it_is(
    api: Api, people: People, database: Database, tables: Tables
) -> None:
    """Nothing was noted then: its names were made with the index key, and a names key of its own cannot be right."""
    await people.make()
    ours = open_vault(api.settings)
    await tables.run("DELETE FROM standing_keys")
    index = base64.b64decode((api.settings.data_dir / "secrets" / "index.key").read_text("ascii"))
    with pytest.raises(SettingsError, match="LOKET_NAMES_KEY is not the key"):
        await require_standing_keys(database, Vault(Keys([new_key()], [index], new_key())))
    await require_standing_keys(database, ours)
    stand = await tables.rows("SELECT key_id FROM standing_keys ORDER BY kind")
    assert {row["key_id"] for row in stand} == set(ours.standing["index"])


async def test_a_new_database_takes_the_keys_it_is_given(servers: Servers) -> None:
    url = servers.create_database()
    database = Database(servers.serving_url(url), pool_size=1, name="test")
    try:
        data, index, names = new_key(), new_key(), new_key()
        await require_standing_keys(database, Vault(Keys([data], [index], names)))
        with pytest.raises(SettingsError, match="LOKET_NAMES_KEY is not the key"):
            await require_standing_keys(database, Vault(Keys([data], [index], index)))
        await require_standing_keys(database, Vault(Keys([new_key()], [index], names)))
    finally:
        await database.close()
        servers.drop_database(url)


def test_the_operator_reads_why(api: Api, start_process: Callable[..., Running]) -> None:
    running = start_process("work", LOKET_INDEX_KEY=written(new_key()), LOKET_DATA_KEY=written(new_key()))
    running.wait_for("LOKET_INDEX_KEY lacks the key with the id")
    assert running.process.wait(30) != 0, "it went on with a key by which nobody is found"


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _variables(api: Api) -> dict[str, str]:
    return {"LOKET_DATABASE_URL": api.settings.database_url, "LOKET_DATA_DIR": str(api.settings.data_dir)}

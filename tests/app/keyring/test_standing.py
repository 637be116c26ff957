"""A process whose keys are not this database's own does not start, and no name that was given out ever changes."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

import pytest

from app.clients import rotate
from app.database import Database
from app.keyring.standing import note_rotated, require_standing_keys
from app.login.provider.subjects import session_name, subject
from app.privacy import Keys, Vault, open_vault
from app.settings import SettingsError, read_settings
from tests.harness.keys import new_key, vault_of
from tests.harness.people import People
from tests.harness.product import Api, Running, free_port
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


@pytest.fixture
def empty(servers: Servers) -> Iterator[str]:
    """The address of a database that nobody has used yet."""
    url = servers.create_database()
    yield servers.serving_url(url)
    servers.drop_database(url)


async def test_without_a_names_key_every_name_stays_what_it_was(environment: dict[str, str]) -> None:
    first = {**environment, "LOKET_INDEX_KEY": written(bytes([1]) * 32)}
    later = {**environment, "LOKET_INDEX_KEY": written(new_key()), "LOKET_NAMES_KEY": written(bytes([1]) * 32)}
    for given in (first, later):
        vault = open_vault(read_settings(given))
        assert subject(vault, SECTOR, CITIZEN) == SUBJECT
        assert session_name(vault, "pajak", CITIZEN) == SESSION


async def test_other_keys_are_refused_and_named(api: Api, environment: dict[str, str], database: Database) -> None:
    ours = open_vault(api.settings)
    await require_standing_keys(database, ours)
    for variable, kind in (("LOKET_DATA_KEY", "data"), ("LOKET_INDEX_KEY", "index"), ("LOKET_NAMES_KEY", "names")):
        others = open_vault(read_settings({**environment, variable: written(new_key())}))
        with pytest.raises(SettingsError, match=f"{variable} .* the key with the id {ours.standing[kind][0]}"):
            await require_standing_keys(database, others)


async def test_a_database_from_before_is_taken_for_what_it_is(
    api: Api, people: People, database: Database, tables: Tables
) -> None:
    """Nothing was noted then: its names were made with the index key, and a names key of its own cannot be right."""
    await people.make()
    ours = open_vault(api.settings)
    await tables.run("DELETE FROM standing_keys")
    variables = {"LOKET_DATA_DIR": str(api.settings.data_dir), "LOKET_NAMES_KEY": written(new_key())}
    with pytest.raises(SettingsError, match="LOKET_NAMES_KEY is not the key"):
        await require_standing_keys(database, open_vault(read_settings(variables)))
    await require_standing_keys(database, ours)
    stand = {row["kind"]: [row["key_id"]] for row in await tables.rows("SELECT kind, key_id FROM standing_keys")}
    assert stand == ours.standing
    assert stand["names"] == stand["index"]


async def test_a_former_data_key_is_asked_for_until_nothing_is_left_of_it(empty: str) -> None:
    old, new, index = new_key(), new_key(), new_key()
    database = Database(empty, pool_size=1, name="test")
    try:
        await require_standing_keys(database, vault_of(old, index))
        await require_standing_keys(database, vault_of(new, index, old))
        lost = vault_of(old, index).key_id.hex()
        for _ in range(2):
            with pytest.raises(SettingsError, match=f"LOKET_DATA_KEY lacks the key with the id {lost}.*rotate-data"):
                await require_standing_keys(database, vault_of(new, index))
        await note_rotated(database, vault_of(new, index, old))
        await require_standing_keys(database, vault_of(new, index))
    finally:
        await database.close()


async def test_a_new_database_takes_the_keys_it_is_given(empty: str) -> None:
    database = Database(empty, pool_size=1, name="test")
    try:
        data, index, names = new_key(), new_key(), new_key()
        await require_standing_keys(database, Vault(Keys([data], [index], names)))
        with pytest.raises(SettingsError, match="LOKET_NAMES_KEY is not the key"):
            await require_standing_keys(database, Vault(Keys([data], [index], index)))
        await require_standing_keys(database, Vault(Keys([new_key(), data], [index], names)))
    finally:
        await database.close()


async def test_no_command_writes_with_a_key_that_is_not_the_databases(
    api: Api, environment: dict[str, str], tables: Tables
) -> None:
    """A signing key that no other process can read would stop them all."""
    before = await tables.digest()
    with pytest.raises(SettingsError, match="LOKET_DATA_KEY lacks the key with the id"):
        await rotate(read_settings({**environment, "LOKET_DATA_KEY": written(new_key())}), "ops", compromised=True)
    assert await tables.changed_since(before) == []


@pytest.mark.parametrize("command", ["work", "serve"])
def test_the_operator_reads_why(api: Api, start_process: Callable[..., Running], command: str) -> None:
    running = start_process(command, LOKET_INDEX_KEY=written(new_key()), LOKET_PORT=str(free_port()))
    running.wait_for("LOKET_INDEX_KEY is not the key with the id")
    assert running.process.wait(30) != 0, "it went on with a key by which nobody is found"


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()

"""`loket keys rotate-data`: everything is written with the new key while the product runs, and nothing is lost."""

import asyncio
import base64
import secrets
from typing import Any
from uuid import uuid4

import pytest

from app.cases.files import FileStore
from app.database import Database
from app.privacy import KEY_BYTES, SEALED, Vault, data_keys, open_vault
from app.rekeying import Rekeyer, _until_done, places, rotate_data, tell_former
from app.settings import SettingsError, read_settings
from tests.harness.cases import hand_in, send_pdf
from tests.harness.keys import vault_of
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.tables import Tables

WORDS = "Apakah Ibu sudah pindah ke Jalan Melati?"


async def seen(citizen: Citizen, case: dict[str, Any]) -> list[Any]:
    """All that the citizen sees of it."""
    paths = ("/v1/me", f"/v1/cases/{case['id']}", "/v1/cases", "/v1/inbox")
    return [(await citizen.get(path)).json() for path in paths]


async def key_ids(tables: Tables) -> dict[str, set[bytes]]:
    """The keys in use, by column."""
    found = {}
    for place in places():
        for column in place.columns:
            statement = f"SELECT DISTINCT substr({column}, 2, 4) AS id FROM {place.table} WHERE {column} IS NOT NULL"
            if rows := await tables.rows(statement):
                found[f"{place.table}.{column}"] = {row["id"] for row in rows}
    return found


async def test_everything_is_written_anew_while_citizens_read_and_write(api: Api, people: People) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    before = open_vault(api.settings)
    async with Tables(api.settings.migration_database_url) as tables:
        # One question as it was stored before words were sealed, one sealed.
        for words in (WORDS, before.seal(WORDS)):
            await tables.run(
                "INSERT INTO messages (id, citizen_id, key, params) VALUES (gen_random_uuid(), $1, "
                "'inbox.case_needs_citizen', "
                "jsonb_build_object('number', 'SL-1', 'service', 'x', 'question', $2::text))",
                citizen.id,
                words,
            )
        shown, old = await seen(citizen, case), before.key_id
        said: list[str] = []
        running = asyncio.create_task(rotate_data(api.settings, said.append))
        while not running.done():
            assert await seen(citizen, case) == shown, "a reader saw the rotation"
            await send_pdf(citizen)
            await asyncio.sleep(0.05)
        await running
        assert "it is gone" in said[-1]
        new = open_vault(api.settings).key_id
        assert new != old
        [stands] = await tables.rows("SELECT key_id, former_ids FROM standing_keys WHERE kind = 'data'")
        assert stands == {"key_id": new.hex(), "former_ids": []}, "the former key is still asked for"
        used = await key_ids(tables)
        assert {"citizens.nik_enc", "cases.form_enc", "attachments.name_enc", "signing_keys.private_key_enc"} <= set(
            used
        )
        assert {name for name, ids in used.items() if ids != {new}} == set()
        stored = await tables.rows("SELECT params->>'question' AS words FROM messages WHERE params ? 'question'")
        assert {row["words"][: len(SEALED)] for row in stored} == {SEALED}
    assert await seen(citizen, case) == shown
    file_id = (await citizen.get(f"/v1/cases/{case['id']}")).json()["attachments"][0]["id"]
    assert (await citizen.get(f"/v1/attachments/{file_id}/content")).status_code in (200, 404)
    stored_files = [path for path in (api.settings.data_dir / "files").rglob("*") if path.is_file()]
    assert stored_files
    assert {path.read_bytes()[1:5] for path in stored_files} == {new}
    assert len(data_keys(api.settings)) == 1


async def test_the_files_of_exports_are_written_anew(api: Api, officers: Officers) -> None:
    officer = await officers.make("supervisor", "dpmptsp")
    file_id, words = uuid4(), b"number;service\n"
    await FileStore(api.settings.files_url, api.settings.data_dir / "files", open_vault(api.settings)).put(
        file_id, words
    )
    async with Tables(api.settings.migration_database_url) as tables:
        await tables.run(
            "WITH made AS (INSERT INTO exports (id, officer_id, agency, kind, format, language, from_on, until_on, "
            "expires_at) VALUES (gen_random_uuid(), $1, 'dpmptsp', 'cases', 'csv', 'id', current_date, current_date, "
            "now() + interval '1 day') RETURNING id) "
            "INSERT INTO export_parts (export_id, number, file_id, size) SELECT id, 0, $2, $3 FROM made",
            officer.id,
            file_id,
            len(words),
        )
    await rotate_data(api.settings, print)
    assert (
        await FileStore(api.settings.files_url, api.settings.data_dir / "files", open_vault(api.settings)).get(file_id)
        == words
    )


async def test_an_ended_run_goes_on_where_it_was(api: Api, people: People) -> None:
    """Ended after its first table; a second run does the rest, with the same key."""
    await people.make()
    old, index = data_keys(api.settings)[0], secrets.token_bytes(KEY_BYTES)
    new = secrets.token_bytes(KEY_BYTES)
    vault = vault_of(new, index, old)
    database = Database(api.settings.database_url, pool_size=2, name="test")
    try:
        files = _files(api, vault)
        first = Rekeyer(database, vault, files)
        await first._place(places()[0], first._sealed)
        said: list[str] = []
        await _until_done(Rekeyer(database, vault, files), said.append)
        assert said
        back = vault_of(old, index, new)
        await _until_done(Rekeyer(database, back, _files(api, back)), said.append)
        assert await Rekeyer(database, back, _files(api, back)).one_pass() == {}
    finally:
        await database.close()


async def test_a_dry_run_counts_what_is_left_and_changes_nothing(
    api: Api, environment: dict[str, str], people: People
) -> None:
    await people.make()
    old, new = (base64.b64encode(key).decode() for key in (data_keys(api.settings)[0], secrets.token_bytes(KEY_BYTES)))
    said: list[str] = []
    async with Tables(api.settings.migration_database_url) as tables:
        before = await key_ids(tables)
        await tell_former(read_settings({**environment, "LOKET_DATA_KEY": f"{new},{old}"}), said.append)
        assert await key_ids(tables) == before
        citizens = await tables.value("SELECT count(*) FROM citizens")
    assert f"{citizens:8} citizens" in said
    assert said[-1].endswith("nothing was changed")
    with pytest.raises(SettingsError, match="values cannot be read"):
        await tell_former(read_settings({**environment, "LOKET_DATA_KEY": new}), said.append)
    await tell_former(api.settings, said.append)
    assert said[-1].startswith("0 are not written with the key")


async def test_a_value_nobody_can_read_keeps_the_former_key(api: Api, people: People) -> None:
    citizen = await people.make()
    async with Tables(api.settings.migration_database_url) as tables:
        name = await tables.value("SELECT name_enc FROM citizens WHERE id = $1", citizen.id)
        await tables.run(
            "UPDATE citizens SET name_enc = set_byte(name_enc, 30, 1 + get_byte(name_enc, 30) % 255) WHERE id = $1",
            citizen.id,
        )
        try:
            with pytest.raises(SettingsError, match="cannot be read"):
                await rotate_data(api.settings, lambda _: None)
            assert len(data_keys(api.settings)) == 2
        finally:
            await tables.run("UPDATE citizens SET name_enc = $2 WHERE id = $1", citizen.id, name)
    await rotate_data(api.settings, lambda _: None)
    assert len(data_keys(api.settings)) == 1


async def test_with_a_key_from_the_environment_the_operator_names_the_new_one(environment: dict[str, str]) -> None:
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    settings = read_settings({**environment, "LOKET_DATA_KEY": key})
    with pytest.raises(SettingsError, match="put the new one before it"):
        await rotate_data(settings, lambda _: None)


def _files(api: Api, vault: Vault) -> FileStore:
    return FileStore(api.settings.files_url, api.settings.data_dir / "files", vault)

"""`loket check`: what is as it should be, and what is told of everything that is not."""

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from app.checkup import Finding, check
from app.privacy import data_keys
from app.settings import Settings
from tests.harness.product import Api, Sandboxes, start_command
from tests.harness.tables import Tables


async def found(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, Finding]:
    return {finding.what: finding async for finding in check(settings, environ or {})}


async def test_all_is_well(api: Api, sandboxes: Sandboxes) -> None:
    seen = await found(api.settings)
    assert {what: each.told for what, each in seen.items() if each.state == "broken"} == {}
    assert {"data folder", "files", "valkey", "database", "migrations", "keys", "rights", "clock"} <= set(seen)
    assert (seen["sicantik"].state, seen["migrations"].state) == ("ok", "ok")
    assert "nothing is handed over" in seen["worker"].told


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("database_url", "postgresql://nobody:hush@127.0.0.1:1/none", "database"),
        ("valkey_url", "redis://:hush@127.0.0.1:1/0", "valkey"),
    ],
)
async def test_what_is_not_there_is_told(api: Api, name: str, value: object, what: str) -> None:
    seen = await found(msgspec.structs.replace(api.settings, **{name: value}))
    assert seen[what].state == "broken", seen
    assert ":hush" not in seen[what].told


async def test_a_data_folder_that_cannot_be_written_to(api: Api, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file stands where the folder should be", "utf-8")
    seen = await found(msgspec.structs.replace(api.settings, data_dir=taken, files_url=f"file://{tmp_path}"))
    assert seen["data folder"].state == "broken", seen


async def test_a_database_of_before_or_after_this_version(api: Api, tables: Tables) -> None:
    ours = await tables.value("SELECT version_num FROM alembic_version")
    try:
        await tables.run("UPDATE alembic_version SET version_num = '0001'")
        assert (await found(api.settings))["migrations"].state == "broken"
        await tables.run("UPDATE alembic_version SET version_num = '9999'")
        assert (await found(api.settings))["migrations"].state == "warning", "an older version may go on beside it"
    finally:
        await tables.run("UPDATE alembic_version SET version_num = $1", ours)


async def test_a_look_notes_no_key(api: Api, tables: Tables) -> None:
    """A process with a new key before the old one notes it, and those with the old one alone then do not start."""
    standing = await tables.rows("SELECT * FROM standing_keys ORDER BY kind")
    assert len(standing) == 3, "the API has noted its own"
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    both = ",".join([key, *(base64.b64encode(each).decode() for each in data_keys(api.settings))])
    assert (await found(msgspec.structs.replace(api.settings, data_key=both)))["keys"].state == "ok"
    assert (await found(msgspec.structs.replace(api.settings, data_key=key)))["keys"].state == "broken"
    assert await tables.rows("SELECT * FROM standing_keys ORDER BY kind") == standing


async def test_a_misspelt_variable_is_named(api: Api) -> None:
    seen = await found(api.settings, {"LOKET_SICANTIK_NETWORK": "10.0.0.0/8", "LOKET_SICANTIK_NETWORKS": "10.0.0.0/8"})
    assert seen["settings"].told.startswith("LOKET_SICANTIK_NETWORK ")


def test_at_the_terminal(environment: Mapping[str, str], tmp_path: Path) -> None:
    running = start_command("check", "--json", environment=environment, log=tmp_path / "said.log")
    assert running.process.wait(60) == 0, running.output()
    assert {each["state"] for each in json.loads(running.output())} <= {"ok", "warning"}
    gone = {**environment, "LOKET_DATABASE_URL": "postgresql://nobody:hush@127.0.0.1:1/none"}
    running = start_command("audit", "verify", environment=gone, log=tmp_path / "gone.log")
    assert running.process.wait(60) == 1
    told = running.output()
    assert "PostgreSQL at 127.0.0.1:1 cannot be reached" in told
    assert ("Traceback" in told, "hush" in told) == (False, False)

"""A deleted citizen is nowhere any more but where a law holds them: tables, pages on the disk, Valkey, logs, files."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from app.assembly import build
from app.database import driver_url
from app.privacy import Vault
from app.rights.deleting import end_holds
from app.rights.registry import declarations, places
from tests.harness import canaries
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running
from tests.harness.rights import PATIENCE_S, ask, uses_everything
from tests.harness.sweep import Sweep, bytes_of
from tests.harness.tables import Tables

NAME = "Hapusiwati Lenyapningrum"
_REQUEST = "SELECT state || ' ' || code FROM data_requests WHERE id::text = $1"


async def done(tables: Tables, request_id: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await tables.value(_REQUEST, request_id) != "done ":  # noqa: ASYNC110 -- a worker's work
            await asyncio.sleep(0.1)


def forms_of(citizen: Citizen, vault: Vault) -> tuple[list[str], list[bytes]]:
    """What betrays them in clear, and the keyed indexes they are found by."""
    person = citizen.person
    indexes = [vault.index("nik", person.nik), vault.index("phone", person.phone)]
    return [person.nik, person.phone, person.name, *person.name.split()], indexes


@pytest.fixture(scope="module")
async def deleted(
    people: People, worker: Running, tables: Tables, postgres_url: str, vault: Vault, environment: dict[str, str]
) -> Citizen:
    """Somebody who used everything, was found everywhere, and is deleted. Another, merged into them, goes along."""
    citizen = await people.make(name=NAME)
    case = await uses_everything(citizen, tables)
    earlier = await people.make(name=NAME)
    await tables.run("UPDATE citizens SET merged_into = $2 WHERE id = $1", earlier.id, citizen.id)
    forms, indexes = forms_of(citizen, vault)
    before = (await Sweep.of(postgres_url, vault)).naming([*forms, *(index.hex() for index in indexes)])
    assert {"citizens", "contacts"} <= {row.table for row in before}
    assert await on_disk(postgres_url, forms, indexes) != []
    [number] = await tables.rows("SELECT number FROM cases WHERE id::text = $1", case["id"])
    assert number
    request = await ask(citizen, "deletion")
    await done(tables, request["id"])
    return citizen


async def on_disk(url: str, forms: list[str], indexes: list[bytes]) -> list[str]:
    """Which forms stand in the files of the database's tables and indexes, once all is written out."""
    connection = await asyncpg.connect(driver_url(url))
    try:
        await connection.execute("CHECKPOINT")
        root = Path(await connection.fetchval("SHOW data_directory"))
        folder = (
            root
            / "base"
            / str(await connection.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()"))
        )
    finally:
        await connection.close()
    return await asyncio.to_thread(_found_in, folder, bytes_of(forms, indexes))


def _found_in(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    found = set()
    for path in folder.iterdir():
        content = path.read_bytes()
        found |= {f"{name} in {path.name}" for name, form in wanted.items() if form in content}
    return sorted(found)


async def test_no_table_names_them(deleted: Citizen, postgres_url: str, vault: Vault) -> None:
    """In clear, sealed or encrypted: everything there is is opened with the product's keys."""
    forms, indexes = forms_of(deleted, vault)
    sweep = await Sweep.of(postgres_url, vault)
    held = {name for name, personal in declarations().items() if personal.hold is not None}
    found = sweep.naming([*forms, *(index.hex() for index in indexes)])
    assert [row.item for row in found if row.table not in held] == []
    left = {row.table for row in sweep.about([str(deleted.id)]).values()}
    # The account's id without a name, and ended sessions without a device, for a day.
    assert left <= held | {"citizens", "sessions"}
    assert {"cases", "consents", "audit_rows", "data_requests"} <= left


async def test_no_page_on_the_disk_has_their_bytes(deleted: Citizen, postgres_url: str, vault: Vault) -> None:
    assert await on_disk(postgres_url, *forms_of(deleted, vault)) == []


async def test_valkey_and_logs_know_nothing(
    deleted: Citizen, worker: Running, environment: dict[str, str], vault: Vault
) -> None:
    forms, indexes = forms_of(deleted, vault)
    client = Redis.from_url(environment["LOKET_VALKEY_URL"])
    keys = b"\n".join([key async for key in client.scan_iter(count=1000)])
    await client.aclose()
    wanted = {**bytes_of([*forms, str(deleted.id)], indexes)}
    assert [name for name, form in wanted.items() if form in keys] == []
    assert [name for name, form in wanted.items() if form in worker.log.read_bytes()] == []
    places = canaries.files_in(Path(environment["LOKET_DATA_DIR"]), but=("sandboxes", "sandbox", "secrets"))
    assert [place for place, content in places if any(form in content for form in wanted.values())] == []


async def test_files_are_gone_but_for_those_of_held_cases(
    deleted: Citizen, tables: Tables, environment: dict[str, str]
) -> None:
    stored = {path.name for path in await asyncio.to_thread(_files, Path(environment["LOKET_DATA_DIR"], "files"))}
    named = {row["id"].hex for row in await tables.rows("SELECT id FROM attachments UNION SELECT id FROM data_copies")}
    assert stored == named
    assert await tables.value("SELECT count(*) FROM attachments WHERE citizen_id = $1", deleted.id) == 1


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_is_held_is_named(deleted: Citizen, tables: Tables) -> None:
    [row] = await tables.rows(
        "SELECT places::text, ended_at, due_at > ended_at AS in_time FROM data_requests WHERE citizen_id = $1 "
        "AND kind = 'deletion'",
        deleted.id,
    )
    assert row["in_time"]
    for hold in ("archive", "audit", "consent_proof", "accountability"):
        assert f'"hold": "{hold}"' in row["places"]
    actions = await tables.rows("SELECT action FROM audit_rows WHERE subject_id = $1", deleted.id)
    assert {"action": "data.deletion_asked"} in actions
    assert {"action": "data.deleted"} in actions


async def test_their_tokens_are_dead_and_they_can_register_anew(
    deleted: Citizen, people: People, start_process: Callable[..., Running]
) -> None:
    answer = await deleted.get("/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
    anew = await people.make(nik=deleted.person.nik, name=deleted.person.name)
    assert (await anew.get("/v1/me")).json()["name"] == NAME
    assert (await anew.get("/v1/cases")).json()["items"] == []


async def test_what_was_held_goes_when_its_time_is_over(
    deleted: Citizen, people: People, tables: Tables, api: Api, worker: Running
) -> None:
    """Another one, whose cases are long over, and whose account was deleted long ago: nothing is left but the audit."""
    other = await people.make()
    await uses_everything(other, tables)
    await done(tables, (await ask(other, "deletion"))["id"])
    product = build(api.settings, "test")
    try:
        await end_holds(product.cases)
        counted = "SELECT count(*) FROM cases WHERE citizen_id = $1"
        assert await tables.value(counted, other.id) == 1
        await tables.run("UPDATE cases SET updated_at = now() - interval '6 years' WHERE citizen_id = $1", other.id)
        await end_holds(product.cases)
        assert await tables.value(counted, other.id) == 0
        assert await tables.value("SELECT count(*) FROM consents WHERE citizen_id = $1", other.id) > 0
        await tables.run("UPDATE citizens SET deleted_at = now() - interval '6 years' WHERE id = $1", other.id)
        await end_holds(product.cases)
    finally:
        await product.close()
    left = [name for name in await names_of(tables, other) if name != "audit_rows"]
    assert left == []
    assert await tables.value("SELECT count(*) FROM cases WHERE citizen_id = $1", deleted.id) == 1


async def names_of(tables: Tables, citizen: Citizen) -> list[str]:
    """The tables that have a row of the citizen by their declaration."""
    found = []
    for place in places():
        given: list[object] = [[citizen.id], [], True][: 3 if "$3" in place.condition else 2]
        if not place.personal.matched and await tables.rows(
            f"SELECT 1 FROM {place.table} WHERE {place.condition}", *given
        ):
            found.append(place.table)
    return found

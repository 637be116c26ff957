"""A copy is complete and nobody else's: compared with a search of the whole database that knows no declaration."""

import hashlib
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.privacy import Vault
from app.rights.copying import FORMAT
from app.rights.registry import declarations
from tests.harness import canaries
from tests.harness.cases import PDF
from tests.harness.people import Citizen, People
from tests.harness.product import Running
from tests.harness.rights import ask, ended, uses_everything
from tests.harness.sweep import Sweep
from tests.harness.tables import Tables

# Made by asking for the copy and by fetching it, so after what it shows.
LATER = {"data_copies", "audit_rows", "messages", "outgoing_messages", "data_requests", "pgqueuer", "idempotency_keys"}


@pytest.fixture(scope="module")
async def two(people: People, worker: Running, tables: Tables) -> list[Citizen]:
    """Two who have used everything, with names that stand nowhere by chance."""
    made = [
        await people.make(name="Salinanwati Purbaningrum"),
        await people.make(name="Tetanggawan Wirokusumo", nik="3571111705909777"),
    ]
    for citizen in made:
        await uses_everything(citizen, tables)
    return made


@pytest.fixture(scope="module")
async def copied(two: list[Citizen]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The first one's copy: its data, and its files by path."""
    citizen = two[0]
    done = await ended(citizen, await ask(citizen, "copy"))
    files: dict[str, bytes] = {}
    for part in done["parts"]:
        answer = await citizen.get(part["path"])
        assert answer.status_code == 200, answer.text
        assert hashlib.sha256(answer.content).hexdigest() == part["sha256"]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            files |= {name: archive.read(name) for name in archive.namelist()}
    return json.loads(files.pop("data.json")), files


def forms_of(citizen: Citizen, vault: Vault) -> list[str]:
    """Everything that betrays them, as it stands in the clear or as a keyed index."""
    indexes = [vault.index("nik", citizen.person.nik), vault.index("phone", citizen.person.phone)]
    return [str(citizen.id), citizen.person.nik, citizen.person.phone, citizen.person.name, *(i.hex() for i in indexes)]


async def test_everything_stored_of_them_is_in_it(
    two: list[Citizen], copied: tuple[dict[str, Any], dict[str, bytes]], postgres_url: str, vault: Vault
) -> None:
    data, _ = copied
    assert data["format"] == FORMAT
    swept = (await Sweep.of(postgres_url, vault)).about(forms_of(two[0], vault))
    stored = Counter(table for table, _ in swept)
    assert len(stored) > 15, "they have used too little of the product to show anything"
    told = {table: rows for table, rows in data["tables"].items() if rows}
    assert set(stored) - LATER == set(told) - LATER
    for table, key in swept:
        if table not in LATER:
            assert len(told[table]) == stored[table], table
            assert any(is_its(row, swept[table, key].values, table) for row in told[table]), (table, key)
    for table in LATER & set(told):
        assert len(told[table]) <= stored[table]


def is_its(shown: dict[str, Any], row: Any, table: str) -> bool:
    """Every column of the row stands in the copy, and what is in clear there is the same here."""
    withheld = declarations()[table].withheld if table in declarations() else ()
    names = {name.removesuffix("_enc") for name in row}
    plain = [name for name, value in row.items() if isinstance(value, int | str) and name not in withheld]
    return names == set(shown) and all(
        shown[name] == row[name] for name in plain if not str(row[name]).startswith(("sealed:", "{", "["))
    )


def test_it_is_readable(two: list[Citizen], copied: tuple[dict[str, Any], dict[str, bytes]]) -> None:
    data, files = copied
    person = two[0].person
    [account] = data["tables"]["citizens"]
    assert (account["nik"], account["name"], account["birth_date"]) == (
        person.nik,
        person.name,
        person.birth_date.isoformat(),
    )
    assert data["tables"]["contacts"][0]["value"] == person.phone
    assert "Kerupuk rahasia" in json.dumps(data["tables"]["cases"])
    assert "Ramah sekali" in json.dumps(data["tables"]["case_events"])
    assert "sealed:" not in json.dumps(data)
    assert set(files) == {each["path"] for each in data["files"]}
    assert list(files.values()) == [PDF, PDF]
    assert any(str(two[0].id) in key for key in data["counters"]), "what Valkey counts for them"


def test_nothing_of_others_is_in_it(
    two: list[Citizen], copied: tuple[dict[str, Any], dict[str, bytes]], vault: Vault
) -> None:
    data, _ = copied
    text = json.dumps(data, ensure_ascii=False).encode()
    # Numbers of test people begin alike: whole ones are looked for below.
    named = [one for one in canaries.of_person(two[1].person) if "name" in one.name.split(" of ")[0]]
    assert canaries.singing({"copy": text}, named) == []
    assert not [form for form in forms_of(two[1], vault) if form.encode() in text]
    assert not [name for name in ("secret", "token_hash", "code_mac") if f'"{name}": "'.encode() in text]


def test_logs_know_nothing_of_them(two: list[Citizen], worker: Running, vault: Vault) -> None:
    outputs = {"worker": worker.log.read_bytes()}
    assert canaries.singing(outputs, canaries.of_person(two[0].person)) == []
    assert not [form for form in forms_of(two[0], vault) if form in worker.output()]


async def test_only_its_owner_fetches_it_and_only_after_a_proof(
    two: list[Citizen], copied: object, tables: Tables, environment: dict[str, str]
) -> None:
    owner, other = two
    [done] = [each for each in (await owner.get("/v1/me/data/requests")).json()["items"] if each["kind"] == "copy"]
    path = done["parts"][0]["path"]
    for citizen, expected in ((other, "data_copy_gone"), (owner, "")):
        answer = await citizen.get(path)
        assert (answer.status_code, answer.json()["code"] if expected else "") == (404 if expected else 200, expected)
    stored = dict(canaries.files_in(Path(environment["LOKET_DATA_DIR"]), but=("sandboxes", "sandbox", "secrets")))
    assert any(name.startswith("file files") for name in stored)
    assert not [name for name, content in stored.items() if b"data.json" in content], "a copy lies encrypted"
    await tables.run("UPDATE sessions SET proved_at = now() - interval '1 hour' WHERE citizen_id = $1", owner.id)
    for answer in (
        await owner.get(path),
        await owner.client.post("/v1/me/data/copy", headers={"Idempotency-Key": "a" * 8}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_needed")


async def test_asked_twice_it_is_one_request(people: People, tables: Tables) -> None:
    citizen = await people.make()
    headers = {"Idempotency-Key": "the-same-key-1"}
    first, again = [await citizen.client.post("/v1/me/data/copy", headers=headers) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    shown = first.json()
    assert shown["state"] == "received"
    counted = "SELECT due_at - asked_at = interval '72 hours' FROM data_requests WHERE id::text = $1"
    assert await tables.value(counted, shown["id"])
    acted = await tables.rows("SELECT action FROM audit_rows WHERE subject_id = $1", citizen.id)
    assert {"action": "data.copy_asked"} in acted

"""The access log as a file that proves itself: what was changed, added or left out is found, and a chain made anew."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.audit.actions import record_on
from app.audit.anchor_file import anchor_file
from app.audit.chain import link_new
from app.audit.checking import check_exported
from app.audit.keeping import anchor_head
from app.database import Database
from tests.app.access_log.test_access_log import entry
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running

PATH = "/v1/me/access-log/export"
Lines = list[dict[str, Any]]
Change = Callable[[Lines], object]


@pytest.fixture(scope="module")
async def database(api: Api) -> AsyncIterator[Database]:
    opened = Database(api.settings.database_url, pool_size=2, name="test")
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def watched(people: People, api: Api, database: Database) -> Citizen:
    """A citizen with more rows than a page of the export, most of them anchored, one in no chain yet."""
    citizen, other = await people.make(), await people.make()
    for _ in range(3):
        async with database.begin() as connection:
            for _ in range(90):
                await record_on(connection, entry(citizen))
                await record_on(connection, entry(other))
        while await link_new(database):
            pass
    await anchor_head(database, [anchor_file(api.settings)])
    async with database.begin() as connection:
        await record_on(connection, entry(citizen))
    while await link_new(database):
        pass
    async with database.begin() as connection:
        await record_on(connection, entry(citizen))
    return citizen


async def exported(citizen: Citizen) -> Lines:
    answer = await citizen.get(PATH)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def file_of(lines: Lines) -> bytes:
    return b"\n".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() for line in lines)


async def test_what_was_exported_is_proven(api: Api, watched: Citizen) -> None:
    lines = await exported(watched)
    assert [line["line"] for line in lines] == ["head", *["row"] * 272, "end"]
    told, proven = await check_exported(api.settings, file_of(lines))
    assert proven, told
    assert "271 rows stand in the chain (270 under the anchor" in told
    assert "1 were not chained yet" in told


async def test_anybody_can_check_a_line_with_sha256_alone(watched: Citizen) -> None:
    """As docs/access-log.md has it."""
    row = next(line for line in await exported(watched) if line["line"] == "row")
    told = json.dumps([row["position"], *row["exact"]], separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(bytes.fromhex(row["before"]) + told).hexdigest() == row["digest"]


def _forged(lines: Lines) -> None:
    """A changed row with digests that fit it."""
    row = lines[5]
    row["exact"][9] = "consent"
    told = json.dumps([row["position"], *row["exact"]], separators=(",", ":"), ensure_ascii=False).encode()
    row["digest"] = hashlib.sha256(bytes.fromhex(row["before"]) + told).hexdigest()


def _one_less(lines: Lines) -> None:
    del lines[5]
    lines[-1]["rows"] -= 1


def _another_anchor(lines: Lines) -> None:
    lines[0]["anchor"] = lines[0]["anchor"][:-12] + "AAAAAAAAAAAA"


CHANGES: dict[str, Change] = {
    "a value": lambda lines: lines[5]["exact"].__setitem__(3, "somebody else"),
    "a digest": lambda lines: lines[5].__setitem__("digest", "00" * 32),
    "a digest that is none": lambda lines: lines[5].__setitem__("before", "none"),
    "a position": lambda lines: lines[5].__setitem__("position", lines[5]["position"] + 1),
    "a row with digests that fit it": _forged,
    "a line less": lambda lines: lines.pop(5),
    "a line less, counted": _one_less,
    "a line twice": lambda lines: lines.insert(5, lines[5]),
    "no end": lambda lines: lines.pop(),
    "no head": lambda lines: lines.pop(0),
    "an earlier head": lambda lines: lines[0].__setitem__("digest", "00" * 32),
    "another anchor": _another_anchor,
    "a word": lambda lines: lines.insert(5, {"line": "word"}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_found(api: Api, watched: Citizen, change: str) -> None:
    lines = await exported(watched)
    CHANGES[change](lines)
    told, proven = await check_exported(api.settings, file_of(lines))
    assert not proven, told


async def test_a_chain_that_was_made_anew_is_found(api: Api, watched: Citizen, postgres_url: str) -> None:
    lines = await exported(watched)
    owner = Database(postgres_url, pool_size=1, name="test")
    async with owner.connection() as connection:
        await connection.execute("ALTER TABLE audit_links DISABLE TRIGGER USER")
        await connection.execute("UPDATE audit_links SET digest = sha256(digest) WHERE position = 7")
        told, proven = await check_exported(api.settings, file_of(lines))
        await connection.execute("DELETE FROM audit_links")
        await connection.execute("ALTER TABLE audit_links ENABLE TRIGGER USER")
    assert not proven, told
    while await link_new(owner):
        pass
    await owner.close()


async def test_the_terminal_tells_by_its_status(
    watched: Citizen, start_process: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("export") / "access-log.jsonl"
    lines = await exported(watched)
    for good in (True, False):
        if not good:
            lines[5]["exact"][3] = "somebody else"
        place.write_bytes(file_of(lines))
        running = start_process("audit", "verify-export", str(place))
        assert (running.process.wait(60) == 0) is good, running.output()

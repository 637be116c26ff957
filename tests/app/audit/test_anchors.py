"""Anchors: the contract of every place, the signed file against changes, and a worker that keeps both."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from app.audit.anchor_file import SignedFile, anchor_file
from app.audit.chain import chain_head
from app.audit.contract import CHECKS, Check
from app.audit.keeping import anchor_head
from app.audit.port import AnchorBroken, AnchorPort, Head
from app.database import Database
from app.settings import read_settings
from tests.app.audit.rows import write, write_and_link
from tests.harness.product import Running, start_command

KEY = secrets.token_bytes(32)
PLACES: dict[str, Callable[[Path], AnchorPort]] = {
    "signed file": lambda folder: SignedFile(folder / "anchors" / "a.jsonl", KEY)
}
HEADS = [Head(number, bytes([number]) * 32) for number in range(1, 6)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("place", PLACES)
async def test_keeps_the_contract(place: str, check: Check, tmp_path: Path) -> None:
    await check.run(PLACES[place](tmp_path), PLACES[place](tmp_path))


async def filled(path: Path) -> SignedFile:
    place = SignedFile(path, KEY)
    for head in HEADS:
        await place.anchor(head)
    return place


def reordered(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: lines[:2] + lines[3:],
        reordered,
        lambda lines: [*lines[:-1], lines[-1].replace(b'"position":5', b'"position":4')],
        lambda lines: [lines[0].replace(b'"position":1', b'"position":9'), *lines[1:]],
        lambda lines: [*lines[:2], b"{}", *lines[2:]],
    ],
    ids=["first gone", "one gone", "reordered", "last changed", "first changed", "one put in"],
)
async def test_a_changed_file_is_told(tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    place = await filled(tmp_path / "anchors.jsonl")
    assert list(await place.anchored()) == HEADS
    lines = (tmp_path / "anchors.jsonl").read_bytes().splitlines()
    (tmp_path / "anchors.jsonl").write_bytes(b"\n".join(change(lines)) + b"\n")
    with pytest.raises(AnchorBroken):
        await place.anchored()


async def test_another_key_signs_nothing_of_ours(tmp_path: Path) -> None:
    await filled(tmp_path / "anchors.jsonl")
    with pytest.raises(AnchorBroken):
        await SignedFile(tmp_path / "anchors.jsonl", secrets.token_bytes(32)).anchored()


async def test_a_line_that_a_crash_tore_is_as_if_never_begun(tmp_path: Path) -> None:
    place = await filled(tmp_path / "anchors.jsonl")
    with (tmp_path / "anchors.jsonl").open("ab") as file:
        file.write(b'{"position":6,"dig')
    assert await place.newest() == HEADS[-1]
    await place.anchor(Head(7, b"7" * 32))
    assert list(await place.anchored()) == [*HEADS, Head(7, b"7" * 32)]


async def test_a_past_that_changed_gets_no_new_anchor(database: Database, tmp_path: Path) -> None:
    place = SignedFile(tmp_path / "anchors.jsonl", KEY)
    head = await write_and_link(database, 2)
    await place.anchor(Head(head.position, b"another past" + bytes(20)))
    await write_and_link(database, 1)
    await anchor_head(database, [place])
    assert len(await place.anchored()) == 1


async def test_a_worker_chains_and_anchors_and_the_command_proves_it(
    database: Database, worker: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    place = anchor_file(read_settings(environment))
    async with database.begin() as connection:
        await write(connection, 5, first=50)
    async with asyncio.timeout(90), database.connection() as connection:
        while (await chain_head(connection)).position < 5:  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(0.1)
    await anchor_head(database, [place])
    assert "whole" in proved(environment, tmp_path, status=0)
    await place.anchor(Head(99, b"9" * 32))
    assert "position 99 is anchored" in proved(environment, tmp_path, status=1)


def proved(environment: dict[str, str], folder: Path, status: int) -> str:
    running = start_command("audit", "verify", environment=environment, log=folder / f"verify{status}.log")
    assert running.process.wait(60) == status, running.output()
    return running.output()

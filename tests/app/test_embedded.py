"""The embedded servers: side by side, on long paths, and after a kill."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app import processes
from app.database import driver_url
from app.embedded import EmbeddedPostgres, EmbeddedServerError, EmbeddedValkey
from app.processes import Program

START_S = 30


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="loket-test-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def started(server: EmbeddedPostgres | EmbeddedValkey) -> subprocess.Popen[bytes]:
    server.prepare()
    process = processes.start(server.program())
    assert processes.wait_until(server.is_ready, process, START_S)
    return process


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(driver_url(url))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_keeps_what_was_committed_when_it_is_killed(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "postgres")
    first = started(server)
    server.create_database()
    server.create_database()
    await ask(server.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    first.kill()
    first.wait()
    second = started(server)
    try:
        assert await ask(server.url(), "SELECT answer FROM kept") == 42
    finally:
        processes.stop(second, server.program().stop_signal)


async def test_a_pid_file_that_names_another_program_is_not_believed(folder: Path) -> None:
    """As in a container that is started again: the numbers of its processes repeat."""
    server = EmbeddedPostgres(folder / "postgres")
    processes.stop(started(server), signal.SIGINT)
    other = processes.start(Program(name="other", command=["sleep", "60"]))
    try:
        (folder / "postgres" / "postmaster.pid").write_text(
            f"{other.pid}\n{folder / 'postgres'}\n1\n5432\n\n\n\nready\n"
        )
        process = started(server)
        assert await ask(server.url("postgres"), "SELECT 1") == 1
        assert other.poll() is None, "the other program was taken for PostgreSQL"
        processes.stop(process, signal.SIGINT)
    finally:
        processes.stop(other)


async def test_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    deep = folder / ("long" * 30)
    deep.mkdir()
    server, valkey = EmbeddedPostgres(deep / "postgres"), EmbeddedValkey(deep / "valkey")
    running = [started(server), started(valkey)]
    try:
        assert await ask(server.url("postgres"), "SELECT 1") == 1
    finally:
        for process in running:
            processes.stop(process, signal.SIGTERM)


def test_two_stand_side_by_side(folder: Path) -> None:
    servers = [EmbeddedValkey(folder / name / "valkey") for name in ("one", "two")]
    running = [started(server) for server in servers]
    assert servers[0].url() != servers[1].url()
    for process in running:
        processes.stop(process)


def test_a_second_valkey_on_the_same_socket_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.embedded._LEFTOVER_S", 0.3)
    server = EmbeddedValkey(folder / "valkey")
    process = started(server)
    with pytest.raises(EmbeddedServerError, match="another Valkey"):
        EmbeddedValkey(folder / "valkey").prepare()
    processes.stop(process)


def test_only_we_can_reach_the_sockets(folder: Path) -> None:
    process = started(EmbeddedValkey(folder / "valkey"))
    assert (folder / "run").stat().st_mode & 0o077 == 0
    assert (folder / "run" / "valkey.sock").stat().st_mode & 0o077 == 0
    processes.stop(process)

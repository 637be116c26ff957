"""`loket run` as a person and a kill signal see it: real processes, real ports, nothing left over."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from app.children import Child
from app.processes import Program
from tests.harness.product import Running, free_port, start_command

READY_S = 60
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def settings() -> Iterator[dict[str, str]]:
    """Not below pytest's own folder: each pytest that starts shuts `nobody` out of that, whom PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="loket-test-", ignore_cleanup_errors=True) as folder:
        yield {
            "LOKET_DATA_DIR": f"{folder}/data",
            "LOKET_PORT": str(free_port()),
            "LOKET_SANDBOX_PORT": str(free_port()),
        }


@pytest.fixture
def start(settings: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(**more: str) -> Running:
        log = tmp_path / f"run-{len(started)}.log"
        started.append(start_command("run", environment={**settings, **more}, log=log))
        return started[-1]

    yield begin
    for running in started:
        running.stop()


def children(running: Running) -> list[psutil.Process]:
    return psutil.Process(running.pid).children(recursive=True)


def child(running: Running, word: str) -> psutil.Process:
    [found] = [process for process in psutil.Process(running.pid).children() if word in process.cmdline()]
    return found


def is_ready(port: str) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def eventually(holds: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def all_gone(processes: list[psutil.Process]) -> bool:
    return not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_starts_restarts_and_ends_together(start: Callable[..., Running], settings: dict[str, str]) -> None:
    running = start()
    running.wait_for("Ctrl-C stops all of it", READY_S)
    assert is_ready(settings["LOKET_PORT"])
    assert len(psutil.Process(running.pid).children()) == 5

    killed = child(running, "work")
    killed.kill()
    running.wait_for("Worker was ended by SIGKILL; started again in 0.2 s", READY_S)
    assert eventually(lambda: child_started_again(running, "work", killed.pid), 10)

    everything = children(running)
    running.stop()
    assert running.process.returncode == 0
    assert "Everything is stopped" in running.output()
    assert all_gone(everything)


def child_started_again(running: Running, word: str, former: int) -> bool:
    found = [process for process in psutil.Process(running.pid).children() if word in process.cmdline()]
    return bool(found) and found[0].pid != former


def test_a_killed_supervisor_leaves_nothing_and_can_start_again(
    start: Callable[..., Running], settings: dict[str, str]
) -> None:
    running = start()
    running.wait_for("Ctrl-C stops all of it", READY_S)
    everything = children(running)
    running.kill()
    again = start()
    again.wait_for("Ctrl-C stops all of it", READY_S)
    assert eventually(lambda: all_gone(everything), 20), [
        process.cmdline() for process in everything if process.is_running()
    ]
    assert is_ready(settings["LOKET_PORT"])


def test_postgres_and_valkey_come_back_when_they_are_killed(
    start: Callable[..., Running], settings: dict[str, str]
) -> None:
    running = start()
    running.wait_for("Ctrl-C stops all of it", READY_S)
    for process in psutil.Process(running.pid).children():
        if process.name() in ("postgres", "valkey-server"):
            process.kill()
    assert eventually(lambda: "PostgreSQL was ended by SIGKILL" in running.output(), 5)
    assert eventually(lambda: is_ready(settings["LOKET_PORT"]), 20), running.output()


@pytest.mark.parametrize(
    ("command", "delays_s"), [("kill -KILL $$", ["0.2", "0.2", "0.2"]), ("exit 3", ["0.2", "0.4", "0.8"])]
)
def test_who_is_killed_is_back_at_once_and_who_ends_by_itself_waits_longer(command: str, delays_s: list[str]) -> None:
    said: list[str] = []
    watched = Child(Program(name="Somebody", command=["sh", "-c", command]), lambda: True)
    watched.start()

    def has_died_three_times() -> bool:
        watched.tend(said.append)
        return len(said) == len(delays_s)

    assert eventually(has_died_three_times, 60)
    watched.stop()
    assert [line.split("started again in ")[1].split(" ")[0] for line in said] == delays_s


def test_a_taken_port_is_named_with_the_setting_that_changes_it(
    start: Callable[..., Running], settings: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", int(settings["LOKET_PORT"]))):
        running = start()
        assert running.process.wait(READY_S) == 1
    assert f"port {settings['LOKET_PORT']} on 127.0.0.1" in running.output()
    assert "LOKET_PORT=" in running.output()
    assert not Path(settings["LOKET_DATA_DIR"], "postgres").exists(), "it went on although the port was taken"


def test_an_unreachable_server_is_named_without_its_password(start: Callable[..., Running]) -> None:
    port = free_port()
    running = start(LOKET_DATABASE_URL=f"postgresql://loket:geheim@127.0.0.1:{port}/loket")
    assert running.process.wait(READY_S) == 1
    assert f"PostgreSQL at 127.0.0.1:{port} (LOKET_DATABASE_URL)" in running.output()
    assert "geheim" not in running.output()


def test_servers_of_yours_are_used_and_left_alone(
    start: Callable[..., Running], settings: dict[str, str], postgres_url: str, valkey_url: str
) -> None:
    """Embedded ones play them here; `make test-external` gives Debian's."""
    running = start(LOKET_DATABASE_URL=postgres_url, LOKET_VALKEY_URL=valkey_url)
    running.wait_for("Ctrl-C stops all of it", READY_S)
    assert is_ready(settings["LOKET_PORT"])
    assert running.output().count("answers (yours)") == 2
    assert len(psutil.Process(running.pid).children()) == 3
    assert not Path(settings["LOKET_DATA_DIR"], "postgres").exists()
    running.stop()
    assert running.process.returncode == 0


def test_a_second_copy_on_the_same_folder_is_refused(start: Callable[..., Running]) -> None:
    first = start()
    first.wait_for("runs", READY_S)
    second = start(LOKET_PORT=str(free_port()), LOKET_SANDBOX_PORT=str(free_port()))
    assert second.process.wait(READY_S) == 1
    assert f"another copy (process {first.pid})" in second.output()


def test_a_wrong_setting_is_named(start: Callable[..., Running]) -> None:
    running = start(LOKET_PORT="eight thousand")
    assert running.process.wait(READY_S) == 1
    assert "LOKET" in running.output()
    assert "Traceback" not in running.output()


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """What all of it rests on, without the product: a child of a killed process ends by itself."""
    script = (
        "import time; from app import processes; from app.processes import Program;"
        "print(processes.start(Program(name='x', command=['sleep', '300'])).pid, flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    assert eventually(lambda: not psutil.pid_exists(pid) or all_gone([psutil.Process(pid)]), 5)

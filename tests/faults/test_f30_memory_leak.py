"""F30: a process that leaks is ended in good order and begins anew, before the system kills whom it likes."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.children import Child, memory_mb
from app.processes import Program
from tests.harness.figures import Tell
from tests.harness.product import free_port, start_command

# It leaks for ever, and writes down that it was asked to end.
LEAK = """
import pathlib, signal, sys, time
def end(*_):
    with open(sys.argv[1], "a") as log: log.write("ended in good order\\n")
    sys.exit(0)
if sys.argv[2] == "polite": signal.signal(signal.SIGTERM, end)
else: signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "a") as log: log.write("began\\n")
held = []
while True:
    held.append(bytearray(b"x" * 4_000_000))
    time.sleep(0.05)
"""
LIMIT_MB = 80
PATIENCE_S = 60


def leaking(log: Path, manner: str) -> Child:
    program = Program(name="Worker", command=[sys.executable, "-c", LEAK, str(log), manner])
    return Child(program, lambda: True, most_memory_mb=LIMIT_MB)


def working() -> Child:
    """One that does not leak."""
    program = Program(name="Worker", command=[sys.executable, "-c", "import time; time.sleep(600)"])
    return Child(program, lambda: True, most_memory_mb=LIMIT_MB)


def test_one_that_the_system_killed_begins_anew_at_once_and_its_neighbour_goes_on(tmp_path: Path) -> None:
    """As the kernel does where a machine has no memory left."""
    log = tmp_path / "log"
    child, neighbour = leaking(log, "polite"), working()
    neighbour.start()
    child.start()
    assert child._process is not None
    assert neighbour._process is not None
    at_work = neighbour._process.pid
    try:
        until(child, lambda: log.exists() and log.read_text().count("began") == 1)
        child._process.kill()
        until(child, lambda: log.read_text().count("began") == 2, neighbour)
        assert (neighbour._process.pid, neighbour._process.poll()) == (at_work, None)
    finally:
        child.stop()
        neighbour.stop()


def until(child: Child, holds: Callable[[], bool], *others: Child) -> tuple[list[str], float]:
    """Tend them as the supervisor does until something holds: what was said, and the most the first ever had."""
    said: list[str] = []
    most, deadline = 0.0, time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, said
        for each in (child, *others):
            each.tend(said.append)
        assert child._process is not None
        most = max(most, memory_mb(child._process.pid))
        time.sleep(0.02)
    return said, most


def test_a_leaking_worker_is_ended_in_good_order_and_begins_anew_and_its_neighbour_goes_on(
    tmp_path: Path, tell: Tell
) -> None:
    log = tmp_path / "log"
    child, neighbour = leaking(log, "polite"), working()
    neighbour.start()
    child.start()
    assert neighbour._process is not None
    at_work = neighbour._process.pid
    try:
        said, most = until(child, lambda: log.exists() and log.read_text().count("began") == 2, neighbour)
        assert (neighbour._process.pid, neighbour._process.poll()) == (at_work, None)
    finally:
        child.stop()
        neighbour.stop()
    assert log.read_text().startswith("began\nended in good order\nbegan\n")
    assert any("has grown to" in words for words in said)
    tell(f"F30: a leaking worker was ended at {most:.0f} MB of {LIMIT_MB} MB and began anew")
    assert most < 3 * LIMIT_MB


def test_one_that_does_not_end_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.children._END_S", 0.5)
    log = tmp_path / "log"
    child = leaking(log, "stubborn")
    child.start()
    try:
        until(child, lambda: log.exists() and log.read_text().count("began") == 2)
    finally:
        assert child._process is not None
        child._process.kill()
    assert "good order" not in log.read_text()


def test_the_supervisor_watches_what_its_own_processes_hold(tmp_path: Path) -> None:
    """A limit that no process of the product can keep: `loket run` says so; the servers, which have none, go on."""
    # Not below pytest's own folder, which shuts `nobody` out, whom PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="loket-test-", ignore_cleanup_errors=True) as folder:
        settings = {"LOKET_MEMORY_MB": "20", "LOKET_DATA_DIR": f"{folder}/data", "LOKET_PORT": str(free_port())}
        settings["LOKET_SANDBOX_PORT"] = str(free_port())
        running = start_command("run", environment=settings, log=tmp_path / "run.log")
        try:
            running.wait_for("has grown to", PATIENCE_S)
            assert "PostgreSQL runs" in running.output()
            assert "PostgreSQL was ended" not in running.output()
            assert "PostgreSQL has grown" not in running.output()
        finally:
            running.stop()

"""Processes under measurement: started and ended, their CPU time and memory as the operating system counts them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from app.settings import ROOT

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")
STOP_TIMEOUT_S = 10.0


class StartFailed(Exception):
    """A process ended or did not open its port in time; the message carries the end of its log."""


@contextmanager
def running(
    command: Sequence[str], *, log: Path, port: int = 0, extra_env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Iterator[int]:
    """The command's process id, once it listens on `port` (0: at once). Ended, with its children, at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env={**os.environ, **(extra_env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if port:
            _wait_for_port(process, port, log)
        yield process.pid
    finally:
        _end(process)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """User and system seconds used so far by a process, its threads and all its descendants, ended ones included."""
    return sum(_ticks(member) for member in _tree(pid)) / TICKS_PER_S


def memory_mb(pid: int) -> dict[str, float]:
    """Resident megabytes of every process of a tree, by process id and name."""
    found = {}
    for member in _tree(pid):
        resident_pages = int((PROC / str(member) / "statm").read_text().split()[1])
        found[str(member)] = resident_pages * PAGE_BYTES / 1e6
    return found


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; the name before may hold spaces and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        member = waiting.pop()
        found.append(member)
        waiting.extend(parents.get(member, ()))
    return found


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float = 60) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    end = log.read_text("utf-8", "replace")[-3000:]
    raise StartFailed(f"{' '.join(map(str, process.args))} does not listen on {port}:\n{end}")  # type: ignore[arg-type]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask first, then end the whole group: only what `running` itself started is in it."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

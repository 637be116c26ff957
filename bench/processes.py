"""Processes under measurement: started and ended, their CPU time and memory as the operating system counts them."""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from app import processes
from app.embedded import EmbeddedPostgres, EmbeddedValkey
from app.settings import ROOT

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")
START_S = 60.0


class StartFailed(Exception):
    """A process ended or did not become ready in time; the message carries the end of its log."""


@contextmanager
def running_servers(folder: Path) -> Iterator[tuple[str, str]]:
    """PostgreSQL, which commits to disk as in production, and Valkey; their addresses."""
    postgres, valkey = EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey")
    for server in (postgres, valkey):
        server.prepare()
    with (
        _running(postgres.program(folder / "postgres.log"), postgres.is_ready),
        _running(valkey.program(folder / "valkey.log"), valkey.is_ready),
    ):
        postgres.create_database()
        postgres.create_serving_role()
        yield postgres.url(), valkey.url()


@contextmanager
def running(
    arguments: Sequence[str],
    *,
    log: Path,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    tree: Path = ROOT,
) -> Iterator[int]:
    """`python ARGUMENTS` from a tree; its process id once it listens on `port` (0: at once). Ended at the end."""
    program = processes.Program(
        name=arguments[-1],
        # Without -P the folder we were started in would come before the tree.
        command=[sys.executable, "-P", *arguments],
        environment={"PYTHONPATH": str(tree), **(environment or {})},
        log=log,
    )
    with _running(program, lambda: not port or is_listening(port)) as pid:
        yield pid


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_s(pid: int) -> float:
    """User and system seconds used so far by a process, its threads and all its descendants, ended ones included."""
    return sum(_ticks(member) for member in _tree(pid)) / TICKS_PER_S


def cpu_s_of_each(pid: int) -> dict[int, float]:
    """The same of each process of the tree by itself, by its id."""
    return {member: _ticks(member) / TICKS_PER_S for member in _tree(pid)}


def memory_mb(pid: int) -> float:
    """Resident megabytes of the largest process of a tree: an API process, not the one that only watches over it."""
    return max(int((PROC / str(member) / "statm").read_text().split()[1]) * PAGE_BYTES / 1e6 for member in _tree(pid))


@contextmanager
def _running(program: processes.Program, ready: Callable[[], bool]) -> Iterator[int]:
    process = processes.start(program)
    try:
        if not processes.wait_until(ready, process, START_S):
            end = program.log.read_text("utf-8", "replace")[-3000:] if program.log else ""
            raise StartFailed(f"{program.name} did not start. The end of its log:\n{end}")
        yield process.pid
    finally:
        processes.stop(process, program.stop_signal)


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

"""Starting and stopping programs as our own children: none outlives us, even when we are killed."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Account(msgspec.Struct, frozen=True):
    """The system account a program runs as, where it refuses to run as root."""

    uid: int
    gid: int


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One program to run. `environment` is added to ours; output goes to `log`, or where ours goes."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = {}
    log: Path | None = None
    account: Account | None = None
    stop_signal: int = signal.SIGTERM


def start(program: Program) -> subprocess.Popen[bytes]:
    """Start it in a process group of its own, so that Ctrl-C reaches only us and we choose the order of the end."""
    account = program.account
    output = program.log.open("ab") if program.log else None
    try:
        return subprocess.Popen(
            list(program.command),
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            process_group=0,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_tied_to_parent(program.stop_signal),  # noqa: PLW1509 -- it takes no lock a thread could hold
        )
    finally:
        if output:
            output.close()


def stop(process: subprocess.Popen[bytes], stop_signal: int = signal.SIGTERM, timeout_s: float = 10) -> None:
    """Ask it to end, wait, and kill it by its pid where it does not."""
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def die_with_parent(stop_signal: int = signal.SIGTERM) -> None:
    """Have the kernel send us `stop_signal` once our parent is gone. Linux only: elsewhere children may be left."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)


def freeze_heap() -> None:
    """What is made by now lives as long as the process: the cyclic collector need not walk it over and over, which took
    a quarter of the CPU of a light request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Ask `ready` until it says yes. False where the process ends before that, or time is up."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.02)
    return False


def _tied_to_parent(stop_signal: int) -> Callable[[], None]:
    parent = os.getpid()

    def in_child() -> None:
        die_with_parent(stop_signal)
        if os.getppid() != parent:  # it died before the kernel knew our wish
            os._exit(1)

    return in_child

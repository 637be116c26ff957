"""A program that is kept running: started again whenever it dies, or ended in good order when it grew too large."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from app import processes
from app.embedded import EmbeddedServerError
from app.processes import Program

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
# A process that grew too large has this long to end in good order.
_END_S = 20.0
# It had started well: the next time it dies, it is started again at once. So is whoever was killed: nothing is wrong
# with it, and a database that is killed every few seconds must not be away for longer each time.
STEADY_S = 5.0
_READY_S = 60.0
_TRIES = 3
_LOG_BYTES = 20 * 1024 * 1024
_LOG_TAIL_BYTES = 2000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class CannotStart(Exception):
    """What is wrong and what to do about it, for the person at the terminal."""


class Child:
    """One program that is started again whenever it dies, later each time it dies soon."""

    def __init__(
        self,
        program: Program,
        ready: Callable[[], bool],
        prepare: Callable[[], None] | None = None,
        most_memory_mb: float | None = None,
    ) -> None:
        self.program = program
        self._most_memory_mb = most_memory_mb
        self._ending: float | None = None
        self._ready = ready
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._delay_s = FIRST_DELAY_S
        self._due: float | None = None

    def start(self) -> None:
        if self._prepare:
            self._prepare()
        if self.program.log and self.program.log.exists() and self.program.log.stat().st_size > _LOG_BYTES:
            self.program.log.replace(self.program.log.with_suffix(".log.1"))
        self._process = processes.start(self.program)
        self._started = time.monotonic()
        self._due = self._ending = None

    def wait_ready(self) -> None:
        """Raises CannotStart with the end of its log where it never becomes ready."""
        for _ in range(_TRIES):
            if self._process and processes.wait_until(self._ready, self._process, _READY_S):
                return
            self.stop()
            self.start()
        raise CannotStart(
            f"{self.program.name} does not start. The end of {shown(self.program.log)}:\n{tail_of(self.program.log)}"
        )

    def tend(self, say: Callable[[str], None]) -> None:
        """Start it again once it is dead and its time has come."""
        if self._process is None:
            return
        now = time.monotonic()
        if self._process.poll() is None:
            self._keep_small(self._process, now, say)
            return
        if self._due is None:
            was_killed = self._process.returncode == -signal.SIGKILL
            self._delay_s = FIRST_DELAY_S if was_killed or now - self._started > STEADY_S else self._delay_s
            self._due = now + self._delay_s
            how = _how_it_ended(self._process.returncode)
            say(f"{self.program.name} {how}; started again in {self._delay_s:.1f} s. Log: {shown(self.program.log)}")
            self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)
        elif now >= self._due:
            try:
                self.start()
            except EmbeddedServerError as error:
                say(f"{self.program.name} cannot be started: {error}")
                self._due = now + LONGEST_DELAY_S

    def _keep_small(self, process: subprocess.Popen[bytes], now: float, say: Callable[[str], None]) -> None:
        """End it in good order where it has grown too large, and by force where it does not."""
        if self._ending is not None and now - self._ending > _END_S:
            process.kill()
        elif self._ending is None and self._most_memory_mb and (grown := memory_mb(process.pid)) > self._most_memory_mb:
            say(f"{self.program.name} has grown to {grown:.0f} MB: it begins anew")
            self._ending = now
            process.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        if self._process:
            processes.stop(self._process, self.program.stop_signal)


def memory_mb(pid: int) -> float:
    """What a process holds in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
    except (OSError, IndexError):
        return 0.0


def shown(path: Path | None) -> str:
    if path is None:
        return "this terminal"
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def tail_of(log: Path | None) -> str:
    if log is None or not log.exists():
        return "(nothing)"
    return log.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()


def _how_it_ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

"""`loket run`: starts everything on one machine as our own child processes, keeps it running, and ends it together."""

import asyncio
import compileall
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from app import processes
from app.embedded import EmbeddedPostgres, EmbeddedServerError, EmbeddedValkey
from app.processes import Program
from app.settings import ROOT, Settings

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


class _Ended(BaseException):
    """Somebody asked us to end."""


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
            f"{self.program.name} does not start. The end of {_shown(self.program.log)}:\n{_tail(self.program.log)}"
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
            say(f"{self.program.name} {how}; started again in {self._delay_s:.1f} s. Log: {_shown(self.program.log)}")
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


class Supervisor:
    """Start-up step by step, then watching, then the end in the opposite order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._begun = time.monotonic()
        self._children: list[Child] = []
        self._environment = {"PYTHONPATH": str(ROOT), "LOKET_DATA_DIR": str(settings.data_dir)}

    def run(self) -> int:
        """Until Ctrl-C or SIGTERM. The exit status: 0 at the asked-for end, 1 where it could not start."""
        _on_signals(_end)
        try:
            with _only_copy(self._settings.data_dir) as was_killed:
                try:
                    self._start(was_killed=was_killed)
                    self._greet()
                    self._watch()
                finally:
                    _on_signals(signal.SIG_IGN)
                    self._stop()
        except (CannotStart, EmbeddedServerError) as error:
            print(f"\nSatu Loket could not start: {error}", file=sys.stderr, flush=True)
            return 1
        except _Ended:
            self._say(f"Everything is stopped. Your data stays in {_shown(self._settings.data_dir)}")
        return 0

    def _watch(self) -> NoReturn:
        while True:
            time.sleep(0.1)
            for child in self._children:
                child.tend(self._say)

    def _stop(self) -> None:
        if self._children:
            self._say("Stopping ...")
        for child in reversed(self._children):
            child.stop()

    def _start(self, *, was_killed: bool) -> None:
        settings = self._settings
        self._say(f"Satu Loket starts for {settings.city.title()}; data and logs are in {_shown(settings.data_dir)}")
        for folder in ("app", "services", "integrations", "migrations"):
            compileall.compile_dir(ROOT / folder, quiet=2)
        _require_port(settings.host, settings.port, "LOKET_PORT", "the API", patient=was_killed)
        demo_only = [self._start_sandboxes(patient=was_killed)] if settings.is_demo else []
        self._start_servers()
        self._once("migrate", "The database has its newest form")
        parts = [
            self._add("work", "Worker", lambda: True),
            self._add("serve", "API", self._answers(settings.port, "/readyz")),
        ]
        if settings.is_demo:
            self._once("seed", f"Demo people and services of {settings.city.title()} are in place")
        for part in demo_only + parts:
            part.wait_ready()
        if demo_only:
            self._say(f"The agencies' systems answer on {settings.sandbox_url} (sandboxes)")
        self._say(f"API and worker are ready on {settings.issuer}")

    def _start_sandboxes(self, *, patient: bool) -> Child:
        port = self._settings.sandbox_port
        _require_port(self._settings.host, port, "LOKET_SANDBOX_PORT", "the sandboxes", patient=patient)
        return self._add("sandboxes", "Sandboxes", self._answers(port, "/"))

    def _start_servers(self) -> None:
        settings = self._settings
        valkey = None if settings.valkey_url else EmbeddedValkey(settings.data_dir / "valkey")
        if valkey:
            self._run_server(Child(valkey.program(self._log("valkey")), valkey.is_ready, valkey.prepare))
            self._environment["LOKET_VALKEY_URL"] = valkey.url()
        else:
            self._say(f"Valkey {_version_of('valkey', settings.valkey_url)} answers (yours)")
        if settings.database_url:
            self._say(f"PostgreSQL {_version_of('postgres', settings.database_url)} answers (yours)")
            return
        postgres = EmbeddedPostgres(settings.data_dir / "postgres")
        if not postgres.is_set_up():
            self._say("Setting up PostgreSQL ...")
        self._run_server(Child(postgres.program(self._log("postgres")), postgres.is_ready, postgres.prepare))
        postgres.create_database()
        postgres.create_serving_role()
        self._environment["LOKET_DATABASE_URL"] = postgres.serving_url()
        self._environment["LOKET_MIGRATION_DATABASE_URL"] = postgres.url()

    def _run_server(self, child: Child) -> None:
        self._children.append(child)
        child.start()
        child.wait_ready()
        self._say(f"{child.program.name} runs")

    def _add(self, command: str, name: str, ready: Callable[[], bool]) -> Child:
        child = Child(self._loket(command, name), ready, most_memory_mb=self._settings.memory_mb)
        self._children.append(child)
        child.start()
        return child

    def _once(self, command: str, done: str) -> None:
        """Run a command to its end. Raises CannotStart with what it said where it fails."""
        program = self._loket(command, command)
        process = processes.start(program)
        try:
            if process.wait():
                raise CannotStart(f"`loket {command}` failed:\n{_tail(program.log)}")
        finally:
            processes.stop(process)
        self._say(done)

    def _loket(self, command: str, name: str) -> Program:
        return Program(
            name=name,
            command=[sys.executable, "-P", "-m", "app.cli", command],
            environment=self._environment,
            log=self._log(command),
        )

    def _log(self, name: str) -> Path:
        folder = self._settings.data_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    def _answers(self, port: int, path: str) -> Callable[[], bool]:
        host = "127.0.0.1" if self._settings.host == "0.0.0.0" else self._settings.host  # noqa: S104 - compared, not bound

        def ask() -> bool:
            try:
                with closing(http.client.HTTPConnection(host, port, timeout=2)) as connection:
                    connection.request("GET", path)
                    return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

        return ask

    def _greet(self) -> None:
        url = self._settings.issuer
        print(f"\n  Try it:          {url}/docs")
        print(f"  Find a service:  curl '{url}/v1/services?q=reklame'")
        if self._settings.is_demo:
            print("  Log in as:       Siti Aminah, NIK 3571024505909001, password Loket-Demo-2026")
        print("  Ctrl-C stops all of it.\n", flush=True)

    def _say(self, line: str) -> None:
        print(f"{time.monotonic() - self._begun:6.1f} s  {line}", flush=True)


def memory_mb(pid: int) -> float:
    """What a process holds in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
    except (OSError, IndexError):
        return 0.0


@contextmanager
def _only_copy(data_dir: Path) -> Iterator[bool]:
    """Hold the data folder for ourselves; tells whether the copy before us was killed. Raises CannotStart."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+") as lock:
        lock.seek(0)
        before = lock.read().strip()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"another copy (process {before}) runs on {_shown(data_dir)}. Stop it, or give this one a folder and "
                "ports of its own: LOKET_DATA_DIR, LOKET_PORT and LOKET_SANDBOX_PORT."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield bool(before)
        finally:
            lock.truncate(0)


def _require_port(host: str, port: int, variable: str, purpose: str, *, patient: bool) -> None:
    """Raises CannotStart where the port is taken; `patient` while children of a killed copy may still be leaving."""
    deadline = time.monotonic() + (10 if patient else 0)
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                reason = error.strerror
            else:
                return
        if time.monotonic() >= deadline:
            raise CannotStart(
                f"port {port} on {host}, meant for {purpose}, cannot be used: {reason}. "
                f"Stop what uses it, or choose another: {variable}={port + 1} make run"
            )
        time.sleep(0.2)


def _version_of(kind: Literal["postgres", "valkey"], url: str) -> str:
    """The version of a server that is not ours. Raises CannotStart where it cannot be used."""
    from app.external import ExternalServerError, check_postgres, check_valkey  # noqa: PLC0415 -- drivers: half a second

    try:
        return asyncio.run(check_valkey(url) if kind == "valkey" else check_postgres(url))
    except ExternalServerError as error:
        raise CannotStart(str(error)) from None


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return "(nothing)"
    return log.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()


def _how_it_ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _shown(path: Path | None) -> str:
    if path is None:
        return "this terminal"
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _on_signals(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended

"""`loket run`: starts everything on one machine as our own child processes, keeps it running, and ends it together."""

import asyncio
import compileall
import fcntl
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from app import processes
from app.children import CannotStart, Child, shown, tail_of
from app.embedded import EmbeddedPostgres, EmbeddedServerError, EmbeddedValkey
from app.processes import Program
from app.settings import ROOT, Settings


class _Ended(BaseException):
    """Somebody asked us to end."""


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
            self._say(f"Everything is stopped. Your data stays in {shown(self._settings.data_dir)}")
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
        self._say(f"Satu Loket starts for {settings.city.title()}; data and logs are in {shown(settings.data_dir)}")
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
                raise CannotStart(f"`loket {command}` failed:\n{tail_of(program.log)}")
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
                f"another copy (process {before}) runs on {shown(data_dir)}. Stop it, or give this one a folder and "
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


def _on_signals(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended

"""The product as a city runs it, to be ill-treated: servers, sandboxes, APIs and workers, each a process of its own,
started again by the supervisor's own hand whenever it dies; and bad networks between them where a run wants those."""

import asyncio
import http.client
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec
import psutil

from app.children import Child
from app.embedded import POSTGRES_DATABASE, SERVING_ROLE, EmbeddedPostgres, EmbeddedServerError, EmbeddedValkey
from app.migrate import upgrade
from app.processes import Program
from app.settings import ROOT, Settings, read_settings
from tests.chaos.schedule import Action
from tests.harness.canaries import files_in, valkey_in_clear
from tests.harness.fault_proxy import FaultProxy, fault_proxy
from tests.harness.product import free_port

LINKS = ("postgres", "valkey", "agencies")
LATENCY_S = 0.08
_LOOK_S = 0.05


class Shape(msgspec.Struct, frozen=True):
    """How many processes there are, whether bad networks lie between them, and PostgreSQL's own settings."""

    apis: int = 2
    workers: int = 2
    proxied: bool = False
    postgres: dict[str, str] = {}
    environment: dict[str, str] = {}
    tree: Path = ROOT


class Ground:
    """`settings` lead past every bad network, for whoever looks on; `urls` are the APIs'. Made by `standing`."""

    def __init__(self, shape: Shape, folder: Path) -> None:
        self.shape = shape
        self.folder = folder
        self.done: list[tuple[float, Action]] = []
        self.proxies: dict[str, FaultProxy] = {}
        self.children: dict[str, Child] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._awake: list[tuple[float, Action]] = []
        self._ports = [free_port() for _ in range(shape.apis)]
        self._sandbox_port = free_port()
        self._postgres = EmbeddedPostgres(folder / "postgres", {"max_connections": "200", **shape.postgres})
        self._valkey = EmbeddedValkey(folder / "valkey")
        # The owner's own address: whoever looks on sees every row.
        self.settings: Settings = read_settings({**self.environment(), "LOKET_DATABASE_URL": self._postgres.url()})

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @property
    def apis(self) -> list[str]:
        return [f"api-{number}" for number in range(self.shape.apis)]

    @property
    def workers(self) -> list[str]:
        return [f"worker-{number}" for number in range(self.shape.workers)]

    @property
    def ledgers(self) -> Path:
        return self.folder / "data" / "sandboxes"

    def environment(self) -> dict[str, str]:
        """What a process of the product is told, without the bad networks."""
        return {
            "LOKET_DATABASE_URL": self._postgres.serving_url(),
            "LOKET_VALKEY_URL": self._valkey.url(),
            "LOKET_DATA_DIR": str(self.folder / "data"),
            "LOKET_PORT": str(self._ports[0]),
            "LOKET_PUBLIC_URL": self.urls[0],
            "LOKET_SANDBOX_PORT": str(self._sandbox_port),
            "LOKET_LIMITS": "load",
            "LOKET_LOG_LEVEL": "warning",
            **self.shape.environment,
        }

    def act(self, action: Action) -> None:
        """Do it now; what lasts is undone by `tend` when its time is over. A target that is down already stays so."""
        self.done.append((time.monotonic(), action))
        if action.kind == "network":
            proxy = self.proxies[action.target]
            if action.mode == "latency":
                proxy.set("pass", latency_s=LATENCY_S)
            else:
                proxy.set(action.mode)  # type: ignore[arg-type] # drawn from MODES
        else:
            self.send(action.target, signal.SIGKILL if action.kind == "kill" else signal.SIGSTOP)
        if action.for_s:
            with self._lock:
                self._awake.append((time.monotonic() + action.for_s, action))

    def send(self, target: str, number: signal.Signals) -> None:
        """A signal to a process and all that it started."""
        with self._lock:
            process = self.children[target]._process
            if process is None or process.poll() is not None:
                return
            for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    async def outputs(self) -> dict[str, bytes]:
        """What the product said, and all it keeps on this machine outside of its tables, its files and its keys; what
        agencies were sent is theirs."""
        logs = {path.name: path.read_bytes() for path in self.folder.glob("*.log")}
        kept = files_in(self.folder / "data", ("sandboxes", "secrets", "files"))
        return {**logs, **dict(kept), **await valkey_in_clear(self.settings.valkey_url)}

    def pid(self, target: str) -> int:
        process = self.children[target]._process
        assert process is not None
        return process.pid

    def heal(self) -> None:
        """Every lasting misfortune is over."""
        with self._lock:
            waiting, self._awake = self._awake, []
        for _, action in waiting:
            self._undo(action)

    def add(self, name: str, child: Child) -> None:
        self.children[name] = child
        child.start()

    def start_servers(self) -> None:
        log = self.folder / "postgres.log"
        servers = {
            "valkey": Child(
                self._valkey.program(self.folder / "valkey.log"), self._valkey.is_ready, self._valkey.prepare
            ),
            "postgres": Child(self._postgres.program(log), self._postgres.is_ready, self._postgres.prepare),
        }
        for name, child in servers.items():
            self.add(name, child)
            child.wait_ready()
        self._postgres.create_database()
        self._postgres.create_serving_role()
        asyncio.run(upgrade(self.settings.database_url, SERVING_ROLE))

    def start_product(self) -> None:
        self.add("sandboxes", self._child("sandboxes", "sandboxes", self._sandbox_port, {}))
        for name in self.workers:
            self.add(name, self._child("work", name, 0, self._through_proxies()))
        for name, port in zip(self.apis, self._ports, strict=True):
            self.add(name, self._child("serve", name, port, {**self._through_proxies(), "LOKET_PORT": str(port)}))
        for child in self.children.values():
            child.wait_ready()

    def lay_networks(self, stack: ExitStack) -> None:
        targets: dict[str, Path | int] = {
            "postgres": Path(self._postgres._sockets) / ".s.PGSQL.5432",
            "valkey": Path(self._valkey._socket),
            "agencies": self._sandbox_port,
        }
        self.proxies = {name: stack.enter_context(fault_proxy(target)) for name, target in targets.items()}

    def tend(self) -> None:
        """The supervisor's watch, until `stop`."""
        while not self._over.wait(_LOOK_S):
            with self._lock:
                due = [one for one in self._awake if one[0] <= time.monotonic()]
                self._awake = [one for one in self._awake if one not in due]
            for _, action in due:
                self._undo(action)
            for child in self.children.values():
                with self._lock, suppress(EmbeddedServerError):
                    child.tend(lambda _: None)

    def stop(self) -> None:
        self._over.set()
        self.heal()
        for child in reversed(self.children.values()):
            child.stop()

    def _undo(self, action: Action) -> None:
        if action.kind == "network":
            self.proxies[action.target].heal()
        elif action.kind == "pause":
            self.send(action.target, signal.SIGCONT)

    def _through_proxies(self) -> dict[str, str]:
        if not self.proxies:
            return {}
        ports = {name: proxy.port for name, proxy in self.proxies.items()}
        return {
            "LOKET_DATABASE_URL": f"postgresql://{SERVING_ROLE}@127.0.0.1:{ports['postgres']}/{POSTGRES_DATABASE}",
            "LOKET_VALKEY_URL": f"redis://127.0.0.1:{ports['valkey']}",
            "LOKET_SANDBOX_PORT": str(ports["agencies"]),
        }

    def _child(self, command: str, name: str, port: int, more: dict[str, str]) -> Child:
        dropped = {variable: "" for variable in os.environ if variable.startswith("LOKET_")}
        program = Program(
            name=name,
            command=[sys.executable, "-P", "-m", "app.cli", command],
            environment={**dropped, "PYTHONPATH": str(self.shape.tree), **self.environment(), **more},
            log=self.folder / f"{name}.log",
        )
        return Child(program, _answers(port, "/healthz" if command == "serve" else "/") if port else lambda: True)


@contextmanager
def standing(shape: Shape) -> Iterator[Ground]:
    """The whole product, ready, in a folder of its own that goes with it; LOKET_CHAOS_KEEP leaves it for a look."""
    folder = Path(tempfile.mkdtemp(prefix="loket-chaos-"))
    with ExitStack() as stack:
        if not os.environ.get("LOKET_CHAOS_KEEP"):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ground = Ground(shape, folder)
        stack.callback(ground.stop)
        ground.start_servers()
        if shape.proxied:
            ground.lay_networks(stack)
        ground.start_product()
        watch = threading.Thread(target=ground.tend, name="supervisor", daemon=True)
        watch.start()
        stack.callback(watch.join, 60)
        stack.callback(ground._over.set)
        yield ground


def _answers(port: int, path: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", path)
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    return ask


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

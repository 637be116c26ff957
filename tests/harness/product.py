"""The product as the tests run it: the API on a real socket in a thread, any `loket` command as a process."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import httpx
import uvicorn
from litestar import Litestar

from app import processes
from app.cli import KEEP_ALIVE_S
from app.connections import CitizenConnection
from app.discovery import sandbox_classes
from app.sandbox.client import HttpWorkbench
from app.sandbox.server import serve as serve_sandboxes
from app.settings import ROOT, Settings, read_settings
from tests.harness.witness import Witness

_START_S = 30


class Server(uvicorn.Server):
    """uvicorn in a thread of ours: it leaves the test process's signals alone."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


class Api:
    """The running API. `client()` gives an HTTP client for it; `settings` are those it was built with; `witness` sees
    whose data it serves to whom."""

    def __init__(self, settings: Settings, witness: Witness | None = None) -> None:
        self.settings = settings
        self.url = settings.issuer
        self.witness = witness or Witness(None)

    def client(self, token: str | None = None, language: str = "id") -> httpx.AsyncClient:
        """An HTTP client over a real socket; close it, or use it in `async with`."""
        headers = {"Accept-Language": language} | ({"Authorization": f"Bearer {token}"} if token else {})
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


class Running:
    """A `loket` command running as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        processes.stop(self.process)

    def wait_for(self, text: str, timeout_s: float = _START_S) -> None:
        """Until its output has `text`. Raises AssertionError with the output where it never does."""
        assert processes.wait_until(lambda: text in self.output(), self.process, timeout_s), self.output()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_command(*arguments: str, environment: Mapping[str, str], log: Path) -> Running:
    """Start `loket ARGUMENTS` with only our variables and those a program needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOKET_")}
    dropped = {name: "" for name in os.environ if name not in kept}
    program = processes.Program(
        name=arguments[0],
        command=[sys.executable, "-m", "app.cli", *arguments],
        environment={**dropped, "PYTHONPATH": str(ROOT), **environment},
        log=log,
    )
    return Running(processes.start(program), log)


class Sandboxes:
    """The sandboxes of all integrations, in a thread. `url` is a backend's address, `bench` the hand on it."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"

    def url(self, integration: str) -> str:
        return f"{self._root}/{integration}"

    def bench(self, integration: str) -> HttpWorkbench:
        """Faults, ledger, work and reset of one sandbox; use it in `async with`."""
        return HttpWorkbench(self.url(integration))


@contextmanager
def running_sandboxes(port: int, folder: Path, product_url: str = "") -> Iterator[Sandboxes]:
    """Every sandbox on one port, with ledgers below `folder`, in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve_sandboxes(sandbox_classes(), folder, ("127.0.0.1", port), product_url))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run, name="sandboxes", daemon=True)
    thread.start()
    try:
        _wait_for(lambda: _listens(port), thread)
        yield Sandboxes(port)
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


@contextmanager
def running_api(environment: Mapping[str, str], prepare: Callable[[Litestar], None] | None = None) -> Iterator[Api]:
    """The API in a thread with an event loop of its own, on the port the environment names. `prepare` may give it what
    a further integration would bring."""
    from app.main import create_app  # noqa: PLC0415 -- 1.5 s that tests without an API need not spend

    settings = read_settings(environment)
    application = create_app(settings)
    if prepare is not None:
        prepare(application)
    witness = Witness(application)
    # With the protocol named asyncio switches Nagle's algorithm off; else each answer on a kept connection takes 40 ms.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((settings.host, settings.port))
    server = Server(
        uvicorn.Config(
            witness,
            http=CitizenConnection,
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=3,
            lifespan="on",
        )
    )
    loop = asyncio.new_event_loop()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(sockets=[listening]))

    thread = threading.Thread(target=run, name="api", daemon=True)
    thread.start()
    try:
        _wait_for(lambda: server.started, thread)
        yield Api(settings, witness)
    finally:
        server.should_exit = True
        thread.join(15)
        if thread.is_alive():  # A city's server would have to be killed: what does not end must be found.
            for task in asyncio.all_tasks(loop):
                task.print_stack(file=sys.__stderr__)
        listening.close()


def _wait_for(ready: Callable[[], bool], thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_S
    while not ready():
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"{thread.name} did not start: see the log above")
        time.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""A Valkey of a test's own: killed, flushed, or reached over a bad network, without hurting another test."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import processes
from app.embedded import EmbeddedValkey

_START_S = 30


class OwnValkey:
    """`socket` is where it listens; `kill` is SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedValkey(folder / "valkey")
        self._log = folder / "valkey.log"
        self._server.prepare()
        self.start()

    @property
    def url(self) -> str:
        return self._server.url()

    @property
    def socket(self) -> Path:
        return Path(self.url.removeprefix("unix://").removeprefix("unix:").partition("?")[0])

    def start(self) -> None:
        self._process = processes.start(self._server.program(self._log))
        if not processes.wait_until(self._server.is_ready, self._process, _START_S):
            raise RuntimeError(f"Valkey did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        processes.stop(self._process)


@contextmanager
def own_valkey() -> Iterator[OwnValkey]:
    folder = Path(tempfile.mkdtemp(prefix="loket-valkey-"))
    own = OwnValkey(folder)
    try:
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder, ignore_errors=True)

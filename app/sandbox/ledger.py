"""A sandbox's ledger on disk: one JSON line per effect, appended before the answer leaves, replayed at start."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.database import utc_now
from app.sandbox.port import Effect, Ledger


class LedgerError(Exception):
    """A ledger file cannot be read; the message names file and line."""


class FileLedger(Ledger):
    """Unbuffered appends: a killed sandbox process loses no effect whose answer left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._effects: list[Effect] = []
        self._apply: Callable[[Effect], None] | None = None
        self._file: BinaryIO | None = None

    def open(self, apply: Callable[[Effect], None]) -> None:
        """Replay what stands on disk, then take new effects. Raises LedgerError for a damaged line."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._apply = apply
        self._effects = _replay(self._path)
        for effect in self._effects:
            apply(effect)
        self._file = self._path.open("ab", buffering=0)

    def record(self, operation: str, reference: str, data: Mapping[str, object]) -> Effect:
        if self._file is None or self._apply is None:
            raise LedgerError(f"{self._path.name} is not open")
        effect = Effect(utc_now(), operation, reference, data)
        self._file.write(msgspec.json.encode(effect) + b"\n")
        self._effects.append(effect)
        self._apply(effect)
        return effect

    def effects(self) -> Sequence[Effect]:
        return self._effects

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._effects.clear()
        if self._file is not None:
            self._file.truncate(0)


def _replay(path: Path) -> list[Effect]:
    """Effects on disk. A last line torn by a kill is cut off, so that the next one does not grow onto it."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole < len(raw):
        with path.open("r+b") as file:
            file.truncate(whole)
    effects = []
    for number, line in enumerate(raw[:whole].splitlines(), start=1):
        try:
            effects.append(msgspec.json.decode(line, type=Effect))
        except msgspec.DecodeError as error:
            raise LedgerError(f"{path.name}, line {number}: {error}") from None
    return effects

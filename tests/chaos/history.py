"""What citizens asked and what they were told. Each request is on disk before it leaves, so that one whose answer never
came is known to be unknown, and nothing that was answered is forgotten."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

# wanted: asked for until it is had. given_up: the phone died after the first silence. refused: an impossible form.
Intent = Literal["wanted", "given_up", "refused"]


class Asked(msgspec.Struct, frozen=True):
    """One request to hand in a case, under its key; the same key may be asked several times. `documents`: its file."""

    key: str
    citizen: int
    intent: Intent
    documents: str
    at: float


class Told(msgspec.Struct, frozen=True):
    """What came back for a key to what was asked at `asked_at`. `status` 0: nothing did, so nobody knows. `digest` of
    the body, `number` of a case."""

    key: str
    status: int
    asked_at: float
    at: float
    digest: str = ""
    number: str = ""
    case_id: str = ""


class Seen(msgspec.Struct, frozen=True):
    """A citizen's look at a case that was just accepted. `status` 0 or 5xx: not answered."""

    key: str
    status: int
    number: str


class Withdrawn(msgspec.Struct, frozen=True):
    """A case that its citizen took back, and was told so."""

    case_id: str


class Used(msgspec.Struct, frozen=True):
    """What had ended for its owner at `ended_at` was used at `asked_at`. `status` 0 or 5xx: not answered."""

    what: Literal["session", "consent"]
    whose: str
    ended_at: float
    asked_at: float
    status: int


class Looked(msgspec.Struct, frozen=True):
    """An officer's look at a citizen's case. `status` as above."""

    case_id: str
    status: int


class Line(msgspec.Struct, omit_defaults=True):
    """One line of the file: exactly one of these."""

    asked: Asked | None = None
    told: Told | None = None
    seen: Seen | None = None
    withdrawn: Withdrawn | None = None
    used: Used | None = None
    looked: Looked | None = None


class History:
    """Lines in the order in which they happened, unbuffered. Used as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.asked: dict[str, list[Asked]] = {}
        self.told: dict[str, list[Told]] = {}
        self.seen: list[Seen] = []
        self.withdrawn: set[str] = set()
        self.used: list[Used] = []
        self.looked: list[Looked] = []

    def __enter__(self) -> Self:
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def ask(self, asked: Asked) -> None:
        """Before the request leaves."""
        self._write(Line(asked=asked))
        self.asked.setdefault(asked.key, []).append(asked)

    def tell(self, told: Told) -> None:
        self._write(Line(told=told))
        self.told.setdefault(told.key, []).append(told)

    def see(self, seen: Seen) -> None:
        self._write(Line(seen=seen))
        self.seen.append(seen)

    def take_back(self, withdrawn: Withdrawn) -> None:
        self._write(Line(withdrawn=withdrawn))
        self.withdrawn.add(withdrawn.case_id)

    def use(self, used: Used) -> None:
        self._write(Line(used=used))
        self.used.append(used)

    def look(self, looked: Looked) -> None:
        self._write(Line(looked=looked))
        self.looked.append(looked)

    def accepted(self) -> dict[str, Told]:
        """The first 2xx of each key that has one."""
        return {key: first for key in self.asked if (first := self._first(key)) is not None}

    def some_accepted(self, dice: random.Random) -> Told | None:
        """One of them, without going through all."""
        keys = list(self.asked)
        return self._first(dice.choice(keys)) if keys else None

    def unknown(self) -> Iterator[Asked]:
        """What was asked and never answered with yes or no."""
        for key, asked in self.asked.items():
            if not any(200 <= told.status < 500 and told.status not in _PASSING for told in self.told.get(key, ())):
                yield asked[0]

    def _first(self, key: str) -> Told | None:
        return next((told for told in self.told.get(key, ()) if 200 <= told.status < 300), None)

    def _write(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")


# A key in use, and too many at once: no answer to the question.
_PASSING = {409, 429}


def now() -> float:
    return time.monotonic()

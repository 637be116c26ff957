"""What one try says to a backend and hears from it, kept in memory while the try lasts; and until when it may speak.

The agency client tells; whoever keeps a record of tries asks for it. Nothing here is masked yet: it must not be stored.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import msgspec

from app.database import utc_now

# Of one try, half of them the first and half the last: a lookup asks for many numbers one by one, and finds ours among
# the first. What was answered before is not kept again.
MOST_KEPT = 16
LONGEST_KEPT = 4096


class Exchange(msgspec.Struct, frozen=True):
    """One call. `outcome`: ok, failed (it answered with a failure of its own), unavailable, unknown or broken_off.
    `sent` without headers and files' bytes, `answered` the beginning of the body; both at most LONGEST_KEPT long."""

    at: datetime
    operation: str
    method: str
    path: str
    outcome: str
    status: int | None
    seconds: float
    sent: str
    answered: str


class Exchanges:
    """Of one try. `ends_at_s`, by the monotonic clock: from then on another may have taken the matter over."""

    def __init__(self, ends_at_s: float = float("inf")) -> None:
        self.calls = 0
        self.last_status: int | None = None
        self._ends_at_s = ends_at_s
        self._kept: list[Exchange] = []

    @property
    def kept(self) -> Sequence[Exchange]:
        return self._kept

    @property
    def is_over(self) -> bool:
        """Whether the time to speak has run out. The clock goes on while a process is stopped."""
        return time.monotonic() >= self._ends_at_s

    def note(self, exchange: Exchange) -> None:
        self.calls += 1
        self.last_status = exchange.status if exchange.status is not None else self.last_status
        if not any(_says_the_same(each, exchange) for each in self._kept):
            if len(self._kept) == MOST_KEPT:
                del self._kept[MOST_KEPT // 2]
            self._kept.append(exchange)


def _says_the_same(one: Exchange, other: Exchange) -> bool:
    return (one.operation, one.outcome, one.answered) == (other.operation, other.outcome, other.answered)


_listening: ContextVar[Exchanges | None] = ContextVar("exchanges", default=None)


@contextmanager
def noted_in(exchanges: Exchanges) -> Iterator[None]:
    """Every call to an agency inside is noted there, and none that changes something leaves after its time."""
    token = _listening.set(exchanges)
    try:
        yield
    finally:
        _listening.reset(token)


def is_over() -> bool:
    """Whether the try that this runs in has lost its right to change anything at the agency."""
    exchanges = _listening.get()
    return exchanges is not None and exchanges.is_over


def is_noted() -> bool:
    """Whether anybody keeps what is said here."""
    return _listening.get() is not None


def note(exchange: Exchange) -> None:
    """Keep one call, where anybody does."""
    exchanges = _listening.get()
    if exchanges is not None:
        exchanges.note(exchange)


def now() -> datetime:
    return utc_now()


def cut(raw: bytes) -> str:
    """The beginning of a body as text; what is no text says so."""
    shown = raw[:LONGEST_KEPT].decode("utf-8", "replace").replace("\x00", "")
    if shown.count("\ufffd") > len(shown) // 8 + 1:
        return f"[{len(raw)} bytes that are no text]"
    return shown + (f" [and {len(raw) - LONGEST_KEPT} bytes more]" if len(raw) > LONGEST_KEPT else "")

"""What an integration's callbacks.py implements: proving that its backend sent something, and saying what it is about.

What is told is not believed: whoever is proven only has us ask the backend itself.
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import msgspec

from app.settings import BackendSettings

MAX_BODY_BYTES = 64 * 1024
MOST_TIDINGS = 100
LONGEST = 200


class Incoming(msgspec.Struct, frozen=True):
    """One request to our address. Names of headers are in small letters."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class Tiding(msgspec.Struct, frozen=True):
    """One thing told. `about` a case or a message to a citizen, by the backend's own `reference` for it; `sign` is the
    same when the same is told again, and another when something else is. At most LONGEST characters each."""

    about: Literal["case", "message"]
    reference: str
    sign: str


class NotProven(Exception):
    """Nothing shows that the backend sent it, or that it was now. The message is for our log."""


class Unreadable(Exception):
    """The backend sent it, and it says nothing that we understand."""


class Callbacks(ABC):
    """One for each system of the integration. `signed`: what is told carries a time and a signature over it; where a
    backend offers neither, a secret in the address it was given is all there is."""

    signed: ClassVar[bool] = True

    def __init__(self, backend: BackendSettings) -> None:
        self.backend = backend

    @abstractmethod
    def read(self, incoming: Incoming) -> Sequence[Tiding]:
        """At most MOST_TIDINGS. Raises NotProven, before anything of the body is looked at, or Unreadable."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over time and body, in hexadecimal."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def prove_signed(incoming: Incoming, secret: str, names: tuple[str, str], window: timedelta) -> None:
    """That time and signature, in the headers `names`, are right and the time is not further from now than `window`.

    Raises NotProven.
    """
    timestamp, given = (incoming.headers.get(name, "") for name in names)
    if not timestamp.isdecimal() or len(timestamp) > 12:
        raise NotProven("no time")
    if not is_same(given, signature(secret, timestamp, incoming.body)):
        raise NotProven("wrong signature")
    if abs(incoming.received_at.timestamp() - int(timestamp)) > window.total_seconds():
        raise NotProven("too old, or of a time to come")


def is_same(given: str, expected: str) -> bool:
    """Compared in a time that tells nothing. An empty secret is none."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())

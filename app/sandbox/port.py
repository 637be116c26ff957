"""What an integration's sandbox.py implements: its backend's wire protocol, with its own ledger of effects.

The host (app.sandbox.server) adds faults on demand, the ledger on disk and the _sandbox routes; a sandbox only speaks.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

import msgspec
from aiohttp import web

P = TypeVar("P")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Effect(msgspec.Struct, frozen=True):
    """One thing that happened in the pretended system. `reference` is the one it was asked under by the caller."""

    at: datetime
    operation: str
    reference: str
    data: Mapping[str, object] = {}


class Route(msgspec.Struct, frozen=True):
    """One address of the backend. `operation` is the name faults select by and the manifest's policies carry."""

    operation: str
    method: str
    path: str
    handler: Handler


class Sending(msgspec.Struct, frozen=True):
    """What a backend that calls us sends: `suffix` goes behind the address it was given."""

    suffix: str
    body: bytes
    headers: Mapping[str, str] = {}


class Ledger(ABC):
    """Effects in order, kept on disk by the host."""

    @abstractmethod
    def record(self, operation: str, reference: str, data: Mapping[str, object]) -> Effect:
        """Append and apply one effect, before the answer leaves."""

    @abstractmethod
    def effects(self) -> Sequence[Effect]: ...


class Sandbox(ABC):
    """State is rebuilt by replaying the ledger through `apply`, so a restart loses nothing."""

    name: ClassVar[str]
    # Ways in which installed copies of the backend differ: each with what it can be, its usual way first.
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {}
    # Of those, the quirk and way under which nothing can be asked with the demo's settings: all is AgencyUnavailable.
    hopeless: ClassVar[Sequence[tuple[str, str]]] = ()

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.quirk: Mapping[str, str] = self.usual_quirks()

    @classmethod
    def usual_quirks(cls) -> Mapping[str, str]:
        """Every quirk at its usual way: how `quirk` stands until the host is told otherwise."""
        return {name: ways[0] for name, ways in cls.quirks.items()}

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Paths below /<integration>, in aiohttp's syntax."""

    @abstractmethod
    def apply(self, effect: Effect) -> None:
        """Change the state by one effect; called for new effects and at replay."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all state; the host has emptied the ledger."""

    @abstractmethod
    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        """Move one matter, or all, on as the agency's officers would: to `step`, or one step. Returns the agency's
        references of what moved. Raises KeyError for an unknown reference, ValueError for an unknown step."""

    def callback(self, reference: str, status: str) -> Sending | None:
        """What the backend would tell us of one of its matters, by its own reference; None where it never calls."""
        return None

    def refuse_auth(self) -> web.StreamResponse:
        """How this backend answers bad credentials, for the fault `bad_auth`."""
        return web.json_response({"error": "unauthorized"}, status=401)


class Workbench(ABC):
    """A contract check's hand on the system behind a port: a sandbox's controls. Absent against a real backend."""

    @abstractmethod
    async def fault(self, mode: str, operations: Sequence[str] = ()) -> None: ...

    @abstractmethod
    async def heal(self) -> None: ...

    @abstractmethod
    async def quirks(self, **ways: str) -> None:
        """Have the backend behave as such a copy of it; what is not named is as usual."""

    @abstractmethod
    async def work(self, reference: str | None = None, step: str | None = None) -> None: ...

    @abstractmethod
    async def ledger(self) -> Sequence[Effect]: ...


class ContractBroken(Exception):
    """An adapter does not behave as its port promises; the message says what was expected and what came."""


class Check(msgspec.Struct, Generic[P], frozen=True):
    """One promise of a port, run against every adapter. Only checks without `writes` run against a real backend."""

    name: str
    run: Callable[[P, Workbench | None], Awaitable[None]]
    writes: bool


def require(holds: object, broken: str) -> None:
    """Raises ContractBroken where a promise does not hold."""
    if not holds:
        raise ContractBroken(broken)

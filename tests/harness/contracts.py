"""Runs a port's contract against an adapter over HTTP to its sandbox, and remembers which calls its methods made."""

import functools
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from app.agency_client import AgencyClient, Call, Reply, Shared
from app.catalog.city import load_city
from app.discovery import adapter_type, sandbox_classes
from app.errors import AgencyError
from app.facilities import backends_of
from app.manifest import IntegrationManifest
from app.ports import contract, port_type
from app.sandbox.port import ContractBroken
from app.sandbox.server import build_app
from app.settings import BackendSettings, Settings
from tests.harness.patience import PatientBench
from tests.harness.spoilt import Spoiler


class Sample(msgspec.Struct, frozen=True):
    """One call of a port's method that went well, and the backend's operations it made."""

    method: str
    arguments: Sequence[Any]
    named: Mapping[str, Any]
    operations: Sequence[str]


class WatchedClient(AgencyClient):
    """An agency client that remembers which operations went out, and what each was counted as."""

    def __init__(self, manifest: IntegrationManifest, backend: BackendSettings) -> None:
        super().__init__(manifest, backend, Shared(observe=self._count))
        self.operations: list[str] = []
        self.outcomes: list[tuple[str, str]] = []

    def _count(self, _backend: str, operation: str, outcome: str, _seconds: float) -> None:
        self.outcomes.append((operation, outcome))

    async def call(self, call: Call) -> Reply:
        self.operations.append(call.operation)
        return await super().call(call)


class WatchedPort:
    """Stands before an adapter and keeps each method's last call that went well as a sample."""

    def __init__(self, adapter: Any, client: WatchedClient) -> None:
        self._adapter = adapter
        self._client = client
        self.samples: dict[str, Sample] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        return functools.partial(self._watch, name, found) if callable(found) else found

    async def _watch(self, name: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        before = len(self._client.operations)
        answer = await method(*arguments, **named)
        made = self._client.operations[before:]
        if made:
            self.samples[name] = Sample(name, arguments, named, tuple(dict.fromkeys(made)))
        return answer


class Stage(msgspec.Struct, frozen=True):
    """One adapter before its sandbox."""

    manifest: IntegrationManifest
    adapter: Any
    client: WatchedClient
    port: WatchedPort
    bench: PatientBench
    spoiler: Spoiler


@asynccontextmanager
async def on_stage(
    manifest: IntegrationManifest, serves: str, folder: Path, facility: str = ""
) -> AsyncIterator[Stage]:
    """A fresh sandbox on a free port of this event loop, and the adapter before it: of `facility`, or of the demo
    city's first where each facility has a system of its own."""
    app, spoiler = build_app({manifest.name: sandbox_classes()[manifest.name]}, folder), Spoiler()
    spoiler.add_to(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    where = Settings(sandbox_port=listening.getsockname()[1])
    backends = backends_of(manifest, load_city(where.city).facility, {}, where)
    client = WatchedClient(manifest, backends[facility or next(iter(backends))])
    adapter = adapter_type(manifest.name, serves, port_type(serves))(client)
    async with PatientBench(f"{where.sandbox_url}/{manifest.name}", [client]) as bench:
        yield Stage(manifest, adapter, client, WatchedPort(adapter, client), bench, spoiler)
    await client.close()
    await runner.cleanup()


async def collect_samples(stage: Stage, serves: str) -> dict[str, Sample]:
    """A call of each of the port's methods that goes well, learnt by running the whole contract.

    A promise that is broken has a test of its own.
    """
    for check in contract(serves):
        await stage.bench.heal()
        with suppress(ContractBroken, AgencyError):
            await check.run(stage.port, stage.bench)
    await stage.bench.heal()
    return stage.port.samples

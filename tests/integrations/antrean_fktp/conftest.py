"""Two puskesmas before adapters of their own, on a sandbox of this test's own, and tickets to ask for."""

import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from app.agency_client import AgencyClient
from app.catalog.city import load_city
from app.facilities import backends_of
from app.manifest import integration_manifests
from app.sandbox.port import Effect
from app.sandbox.server import build_app
from app.settings import BackendSettings, Settings
from integrations.antrean_fktp.health import AntreanFktpHealth
from integrations.antrean_fktp.sandbox import AntreanFktpSandbox
from services.health.port import Session, TicketRequest
from tests.harness.contracts import WatchedClient
from tests.harness.patience import PatientBench
from tests.harness.patients import open_day

BALOWERTI, SUKORAME = "puskesmas-balowerti", "puskesmas-sukorame"
DOCTOR, HOURS = "145011", "07:30-11:30"
_serials = itertools.count(1)


class Town(msgspec.Struct, frozen=True):
    """The puskesmas of the demo city. `ports` and `clients` by facility; `url` is the sandbox's."""

    ports: Mapping[str, AntreanFktpHealth]
    clients: Mapping[str, WatchedClient]
    bench: PatientBench
    http: aiohttp.ClientSession
    url: str
    opened: list[AgencyClient]

    @property
    def port(self) -> AntreanFktpHealth:
        return self.ports[BALOWERTI]

    async def effects(self, operation: str = "", facility: str = "") -> list[Effect]:
        return [
            effect
            for effect in await self.bench.ledger()
            if operation in ("", effect.operation) and facility in ("", effect.data.get("facility"))
        ]

    def another(self, facility: str = BALOWERTI, **settings: str) -> AntreanFktpHealth:
        """One more adapter for a facility, as another process has it, or with other settings."""
        backend = self.clients[facility].backend
        return self.connected(msgspec.structs.replace(backend, settings={**backend.settings, **settings}))

    def connected(self, backend: BackendSettings) -> AntreanFktpHealth:
        self.opened.append(AgencyClient(self.clients[BALOWERTI].manifest, backend))
        return AntreanFktpHealth(self.opened[-1])


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    runner = web.AppRunner(build_app({"antrean_fktp": AntreanFktpSandbox}, tmp_path), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    where = Settings(sandbox_port=runner.addresses[0][1])
    manifest = integration_manifests()["antrean_fktp"]
    backends = backends_of(manifest, load_city("kediri").facility, {}, where)
    clients = {facility: WatchedClient(manifest, backend) for facility, backend in backends.items()}
    ports = {facility: AntreanFktpHealth(client) for facility, client in clients.items()}
    url = f"{where.sandbox_url}/antrean_fktp"
    opened: list[AgencyClient] = list(clients.values())
    async with PatientBench(url, opened) as bench, aiohttp.ClientSession() as http:
        yield Town(ports, clients, bench, http, url, opened)
    for client in opened:
        await client.close()
    await runner.cleanup()


def session(**changes: Any) -> Session:
    """General practice at Balowerti."""
    return msgspec.structs.replace(Session("001", open_day(), DOCTOR, HOURS), **changes)


def plain(**changes: Any) -> Session:
    """A session at a facility that tells no doctors apart."""
    return session(doctor="", hours="", **changes)


def asked(at: Session | None = None, **changes: Any) -> TicketRequest:
    """A ticket for somebody new each time."""
    serial = next(_serials)
    request = TicketRequest(
        reference=f"LKT-{serial:06d}",
        session=at or session(),
        nik=f"357102450590{serial:04d}",
        name="Siti Aminah",
        phone="+6281234567801",
        card_number=f"000235719{serial:04d}",
        complaint="Demam tiga hari",
    )
    return msgspec.structs.replace(request, **changes)

"""Two puskesmas before adapters of their own, on a sandbox of this test's own, and tickets to ask for."""

import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
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
from services.health.port import Patient, Session, TicketRequest
from tests.harness.contracts import WatchedClient
from tests.harness.patience import PatientBench

BALOWERTI, SUKORAME = "puskesmas-balowerti", "puskesmas-sukorame"
DOCTOR, HOURS = "145011", "07:30-11:30"
STRANGER = "3571010101759004"
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


def open_day(weekday: int = 1) -> date:
    """A day to come on which everybody works, a Monday; or another ISO weekday."""
    today = (datetime.now(UTC) + timedelta(hours=7)).date()
    closed = {"2026-12-25", "2027-01-01"}
    days = (today + timedelta(days=ahead) for ahead in range(1, 30))
    return next(day for day in days if day.isoweekday() == weekday and day.isoformat() not in closed)


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


def patient(request: TicketRequest, **changes: Any) -> Patient:
    """Who asked for a ticket, as a new patient."""
    new = Patient(
        reference=request.reference,
        nik=request.nik,
        family_card_number="3571020101100001",
        name=request.name,
        sex="female",
        birth_date=date(1990, 5, 5),
        phone=request.phone,
        address="Jalan Dhoho 12",
        village_code="35.71.02.1005",
        rt="002",
        rw="003",
        card_number=request.card_number,
    )
    return msgspec.structs.replace(new, **changes)

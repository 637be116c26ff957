"""The hospital before its adapter, on a sandbox of this test's own, and tickets to ask for."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
from integrations.antrean_rs.health import AntreanRsHealth
from integrations.antrean_rs.sandbox import AntreanRsSandbox
from services.health.port import Session, TicketRequest
from tests.harness.contracts import WatchedClient
from tests.harness.patience import PatientBench
from tests.harness.patients import open_day

DOCTOR, HOURS = "30101", "08:00-12:00"
_serials = itertools.count(1)


class Hospital(msgspec.Struct, frozen=True):
    """The hospital of the demo city."""

    port: AntreanRsHealth
    client: WatchedClient
    bench: PatientBench
    opened: list[AgencyClient]

    async def effects(self, operation: str = "") -> list[Effect]:
        return [effect for effect in await self.bench.ledger() if operation in ("", effect.operation)]

    def another(self, **settings: str) -> AntreanRsHealth:
        """One more adapter, as another process has it, or with other settings."""
        backend = self.client.backend
        return self.connected(msgspec.structs.replace(backend, settings={**backend.settings, **settings}))

    def connected(self, backend: BackendSettings) -> AntreanRsHealth:
        self.opened.append(AgencyClient(self.client.manifest, backend))
        return AntreanRsHealth(self.opened[-1])


@pytest.fixture
async def hospital(tmp_path: Path) -> AsyncIterator[Hospital]:
    runner = web.AppRunner(build_app({"antrean_rs": AntreanRsSandbox}, tmp_path), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    where = Settings(sandbox_port=runner.addresses[0][1])
    manifest = integration_manifests()["antrean_rs"]
    [backend] = backends_of(manifest, load_city("kediri").facility, {}, where).values()
    client = WatchedClient(manifest, backend)
    opened: list[AgencyClient] = [client]
    async with PatientBench(f"{where.sandbox_url}/antrean_rs", opened) as bench:
        yield Hospital(AntreanRsHealth(client), client, bench, opened)
    for each in opened:
        await each.close()
    await runner.cleanup()


def session(**changes: Any) -> Session:
    """Internal medicine in the morning."""
    return msgspec.structs.replace(Session("INT", open_day(), DOCTOR, HOURS), **changes)


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
        visit="referral",
        referral=f"0145U0111126P{serial:06d}",
    )
    return msgspec.structs.replace(request, **changes)

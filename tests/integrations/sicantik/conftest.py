"""The adapter before a sandbox of this test's own, and applications to hand over."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from app.agency_client import AgencyClient, Shared
from app.manifest import integration_manifests
from app.sandbox.server import build_app
from app.settings import BackendSettings
from integrations.sicantik.permits import SicantikPermits
from integrations.sicantik.sandbox import SicantikSandbox
from services.permits.port import PermitApplication
from tests.harness.patience import PatientBench


class Office(msgspec.Struct):
    """One adapter and the office behind it. `url` is the backend's, without `/backoffice/api`; `asked` counts calls."""

    port: SicantikPermits
    bench: PatientBench
    url: str
    http: aiohttp.ClientSession
    asked: Counter[str]

    async def answer(self, address: str) -> tuple[int, str]:
        """What the wire answers to GET /backoffice/api/<address>."""
        async with self.http.get(f"{self.url}/backoffice/api/{address}") as response:
            return response.status, await response.text()

    async def register_directly(self, **fields: str) -> dict[str, Any]:
        """A registration that somebody else makes: the agency's own counter, or another portal."""
        form = {"jenis_izin_id": "12", "jenis_permohonan_id": "1", "nama_pemohon": "Warga", "no_telp": "0812"} | fields
        async with self.http.post(f"{self.url}/backoffice/api/pendaftaran", data=form) as response:
            body = await response.text()
        decoded: dict[str, Any] = msgspec.json.decode(body[body.index("{") :])
        return decoded


@pytest.fixture
def open_office(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Office]]:
    """`open_office(kind=...)`: a fresh office, of the sandbox class given."""

    @asynccontextmanager
    async def opened(kind: type[SicantikSandbox] = SicantikSandbox) -> AsyncIterator[Office]:
        folder = tmp_path / secrets.token_hex(4)
        runner = web.AppRunner(build_app({"sicantik": kind}, folder), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/sicantik"
        manifest = integration_manifests()["sicantik"]
        asked: Counter[str] = Counter()

        def count(_backend: str, operation: str, _outcome: str, _seconds: float) -> None:
            asked[operation] += 1

        backend = BackendSettings("sicantik", url, dict(manifest.credentials), dict(manifest.settings))
        client = AgencyClient(manifest, backend, Shared(observe=count))
        async with PatientBench(url, [client]) as bench, aiohttp.ClientSession() as http:
            yield Office(SicantikPermits(client), bench, url, http, asked)
        await client.close()
        await runner.cleanup()

    return opened


@pytest.fixture
async def office(open_office: Callable[..., AbstractAsyncContextManager[Office]]) -> AsyncIterator[Office]:
    async with open_office() as opened:
        yield opened


def application(**changes: Any) -> PermitApplication:
    """Siti Aminah asks for a reklame permit."""
    now = datetime.now(UTC)
    asked = PermitApplication(
        reference=f"LKT-{secrets.token_hex(5)}",
        permit="reklame",
        kind="new",
        applicant_name="Siti Aminah",
        applicant_phone="+6281234567801",
        applicant_address="Jalan Dhoho 12",
        applicant_village_code="35.71.01.1001",
        purpose="Papan nama toko",
        submitted_on=(now + timedelta(hours=7)).date(),
        submitted_at=now,
    )
    return msgspec.structs.replace(asked, **changes)

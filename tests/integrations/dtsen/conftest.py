"""The adapter before the sandbox, and before a bus that answers just what a test says and keeps what it was asked."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from app.agency_client import AgencyClient, Shared
from app.ids import uuid7
from app.manifest import integration_manifests
from app.sandbox.server import build_app
from app.settings import BackendSettings, Settings, backend_settings
from integrations.dtsen.client import DtsenClient
from integrations.dtsen.sandbox import DtsenSandbox
from integrations.dtsen.social_aid import DtsenSocialAid
from services.social_aid.port import AidRequest, Photo
from tests.harness.patience import PatientBench

SITI, BUDI, DEWI, RAHMAT = "3571024505909001", "3571011708859002", "3571036011009003", "3571010101759004"
MANIFEST = integration_manifests()["dtsen"]
_serials = itertools.count(1)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Agency(msgspec.Struct, frozen=True):
    """The sandbox with the adapter and the wire client before it."""

    port: DtsenSocialAid
    wire: DtsenClient
    bench: PatientBench
    backend: BackendSettings

    async def handed_in(self) -> list[str]:
        """Our references of what was registered, as often as it was."""
        return [effect.reference for effect in await self.bench.ledger() if effect.operation == "submit"]


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Agency]:
    runner = web.AppRunner(build_app({"dtsen": DtsenSandbox}, tmp_path), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    where = Settings(sandbox_port=runner.addresses[0][1])
    backend = backend_settings("dtsen", MANIFEST.wanted, {}, where)
    client = AgencyClient(MANIFEST, backend)
    async with PatientBench(backend.url, [client]) as bench:
        yield Agency(DtsenSocialAid(client), DtsenClient(client), bench, backend)
    await client.close()
    await runner.cleanup()


class Asked(msgspec.Struct, frozen=True):
    """One call as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Bus:
    """A bus in a test's hand: `answer` is what it answers to all but logins, which give tokens t1, t2, ..."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.logins = 0
        self.answer: Answer = refuse
        self.log_in: Answer | None = None

    def says(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(status=status, text=body, headers=headers)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.method, request.path_qs, dict(request.headers), await request.read()))
        if request.path != "/oauth2/token":
            return await self.answer(request)
        self.logins += 1
        if self.log_in is not None:
            return await self.log_in(request)
        return web.json_response({"access_token": f"t{self.logins}", "token_type": "Bearer", "expires_in": 3600})


class Adapted(msgspec.Struct, frozen=True):
    """A bus in a test's hand, and the adapter before it."""

    bus: Bus
    port: DtsenSocialAid
    connect: Callable[..., DtsenSocialAid]
    observed: list[tuple[str, str]]


@pytest.fixture
async def adapted() -> AsyncIterator[Adapted]:
    bus = Bus()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", bus.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    opened, observed = [], []
    shared = Shared(observe=lambda _backend, operation, outcome, _seconds: observed.append((operation, outcome)))

    def connect(**settings: str) -> DtsenSocialAid:
        given = {**MANIFEST.wanted.settings, **settings}
        backend = BackendSettings("dtsen", url, MANIFEST.wanted.credentials, given)
        opened.append(AgencyClient(MANIFEST, backend, shared))
        return DtsenSocialAid(opened[-1])

    yield Adapted(bus, connect(), connect, observed)
    for client in opened:
        await client.close()
    await runner.cleanup()


async def refuse(_request: web.Request) -> web.Response:
    return web.Response(status=500)


def told(data: object) -> str:
    """The service's own yes."""
    return msgspec.json.encode({"sukses": True, "kode": "OK", "pesan": "Berhasil", "data": data}).decode()


def objection(**changes: Any) -> AidRequest:
    """By Siti, under a reference of its own."""
    request = AidRequest(
        reference=f"LKT-{next(_serials):06d}",
        kind="objection",
        applicant_nik=SITI,
        applicant_name="Siti Aminah",
        applicant_phone="+6281290019001",
        submitted_at=datetime.now(UTC),
        address="Jalan Wijaya Kusuma 14",
        village_code="35.71.02.1005",
        rt="03",
        rw="02",
        reason="Suami sudah tidak bekerja sejak Maret.",
        about="decile",
    )
    return msgspec.structs.replace(request, **changes)


def photo(content: bytes = b"\x89PNG picture") -> Photo:
    return Photo(
        id=uuid7(),
        name="rumah Siti Aminah.png",
        media_type="image/png",
        content=content,
        latitude=-7.8166,
        longitude=112.0114,
        place_source="photo",
        taken_at=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
        time_source="citizen",
    )

"""The adapter before a register of this test's own, or before a server that answers just what the test says."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from app.agency_client import AgencyClient
from app.manifest import integration_manifests
from app.sandbox.server import build_app
from app.settings import BackendSettings
from integrations.bpjs_vclaim.health_membership import VclaimMembership
from integrations.bpjs_vclaim.sandbox import VclaimSandbox
from tests.harness.patience import PatientBench

SITI, BUDI, DEWI, RAHMAT = "3571024505909001", "3571011708859002", "3571036011009003", "3571010101759004"
TODAY = date(2026, 11, 23)
Answer = Callable[[web.Request], bytes]


class Register(msgspec.Struct, frozen=True):
    """One adapter and the register behind it. `url` is the backend's address."""

    port: VclaimMembership
    bench: PatientBench
    url: str
    http: aiohttp.ClientSession


OpenRegister = Callable[..., AbstractAsyncContextManager[Register]]
Answering = Callable[..., Awaitable[VclaimMembership]]


@pytest.fixture
def open_register(tmp_path: Path) -> OpenRegister:
    """`open_register(kind=..., **settings)`: a fresh register of the sandbox class given."""

    @asynccontextmanager
    async def opened(kind: type[VclaimSandbox] = VclaimSandbox, **settings: str) -> AsyncIterator[Register]:
        app = build_app({"bpjs_vclaim": kind}, tmp_path / secrets.token_hex(4))
        async with (
            _serving(app) as url,
            _client(f"{url}/bpjs_vclaim", settings) as client,
            PatientBench(client.backend.url, [client]) as bench,
            aiohttp.ClientSession() as http,
        ):
            yield Register(VclaimMembership(client), bench, client.backend.url, http)

    return opened


@pytest.fixture
async def register(open_register: OpenRegister) -> AsyncIterator[Register]:
    async with open_register() as opened:
        yield opened


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """`await answering(make_body, status=200)`: an adapter before a server that answers just that."""
    async with AsyncExitStack() as stack:

        async def started(make_body: Answer, status: int = 200) -> VclaimMembership:
            async def answer(request: web.Request) -> web.Response:
                return web.Response(status=status, body=make_body(request), content_type="application/json")

            app = web.Application()
            app.router.add_get("/{path:.*}", answer)
            url = await stack.enter_async_context(_serving(app))
            return VclaimMembership(await stack.enter_async_context(_client(url, {})))

        yield started


@asynccontextmanager
async def _serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _client(url: str, settings: dict[str, str]) -> AsyncIterator[AgencyClient]:
    manifest = integration_manifests()["bpjs_vclaim"]
    given = {name: settings.get(name, demo) for name, demo in manifest.wanted.settings.items()}
    secret = {name: settings.get(name, demo) for name, demo in manifest.wanted.credentials.items()}
    client = AgencyClient(manifest, BackendSettings("bpjs_vclaim", url, secret, given))
    try:
        yield client
    finally:
        await client.close()

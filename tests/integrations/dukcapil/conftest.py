"""The adapter before a register that answers just what a test says, and remembers what it was asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from app.agency_client import AgencyClient
from app.manifest import integration_manifests
from app.settings import BackendSettings
from integrations.dukcapil.login import DukcapilRegister

Answering = Callable[..., Awaitable[DukcapilRegister]]


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    """Every body that came to the register, and under which path."""
    return []


@pytest.fixture
async def answering(asked: list[dict[str, Any]]) -> AsyncIterator[Answering]:
    """`await answering(body, status=200, **settings)`: an adapter before a register that answers just that."""
    async with AsyncExitStack() as stack:

        async def started(body: str, status: int = 200, **settings: str) -> DukcapilRegister:
            async def answer(request: web.Request) -> web.Response:
                asked.append({"path": request.path, **await request.json()})
                return web.Response(status=status, text=body, content_type="application/json")

            app = web.Application()
            app.router.add_post("/{path:.*}", answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            manifest = integration_manifests()["dukcapil"]
            given = {**manifest.wanted.settings, **settings}
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            client = AgencyClient(manifest, BackendSettings("dukcapil", url, manifest.wanted.credentials, given))
            stack.push_async_callback(client.close)
            return DukcapilRegister(client)

        yield started

"""Alive and ready: each part is told, and a part that is down is found within a second."""

import asyncio
import time
from collections.abc import Callable

import asyncpg
import httpx
from sqlalchemy.engine import make_url

from app.database import driver_url
from tests.harness.product import Api, Running, free_port, running_api
from tests.harness.servers import Servers
from tests.harness.tables import Tables


async def ready(api: Api) -> httpx.Response:
    async with api.client() as client:
        began = time.monotonic()
        answer = await client.get("/readyz")
        assert time.monotonic() - began < 3
        return answer


async def until_ok(api: Api, part: str) -> object:
    """What readiness says once the part is up, or after five seconds."""
    told: dict[str, dict[str, str]] = {}
    for _ in range(50):
        told = (await ready(api)).json()
        if told["parts"][part] == "ok":
            break
        await asyncio.sleep(0.1)
    return told


async def test_alive_whatever_else(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_a_worker_not_ready(api: Api) -> None:
    answer = await ready(api)
    assert answer.status_code == 503
    assert answer.json() == {"status": "not_ready", "parts": {"database": "ok", "valkey": "ok", "worker": "down"}}


async def test_with_a_worker_ready_until_it_is_silent_for_long(
    api: Api, start_process: Callable[..., Running], tables: Tables
) -> None:
    worker = start_process("work")
    worker.wait_for("worker ready")
    answer = await until_ok(api, "worker")
    assert answer == {"status": "ready", "parts": {"database": "ok", "valkey": "ok", "worker": "ok"}}
    worker.kill()
    await tables.run("UPDATE worker_beats SET at = at - interval '25 seconds'")
    assert (await ready(api)).status_code == 200
    await tables.run("UPDATE worker_beats SET at = at - interval '10 seconds'")
    assert (await ready(api)).json()["parts"]["worker"] == "down"


async def test_with_valkey_down_it_still_serves(environment: dict[str, str]) -> None:
    without = {**environment, "LOKET_VALKEY_URL": "redis://127.0.0.1:1/0", "LOKET_PORT": str(free_port())}
    with running_api(without) as api:
        answer = await ready(api)
        assert answer.json()["parts"] | {"worker": "any"} == {"database": "ok", "valkey": "down", "worker": "any"}
        async with api.client() as client:
            assert (await client.get("/v1/services")).status_code == 200


async def test_with_the_database_gone_it_says_so_and_comes_back(environment: dict[str, str], servers: Servers) -> None:
    url = await asyncio.to_thread(servers.create_database)
    name = make_url(url).database
    own = {**environment, "LOKET_DATABASE_URL": url, "LOKET_PORT": str(free_port())}
    admin = await asyncpg.connect(driver_url(servers.admin_url))
    try:
        with running_api(own) as api:
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            gone = await ready(api)
            async with api.client() as client:
                alive = await client.get("/healthz")
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            back = await until_ok(api, "database")
    finally:
        await admin.close()
    assert (gone.status_code, gone.json()["parts"]["database"]) == (503, "down")
    assert alive.status_code == 200
    assert back == {"status": "not_ready", "parts": {"database": "ok", "valkey": "ok", "worker": "down"}}
    await asyncio.to_thread(servers.drop_database, url)

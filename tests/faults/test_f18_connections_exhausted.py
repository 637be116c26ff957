"""F18: no connection to the database is free, or the pooler before it starts anew: a short queue, then 503, soon back.

What a pooler's restart is to us, the end of every connection and none for a while, a proxy makes here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from app.database import driver_url
from tests.harness.cases import SERVICE, new_key
from tests.harness.fault_proxy import FaultProxy, fault_proxy
from tests.harness.figures import Tell
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

QUEUE_S, BACK_S, DOWN_S = 2.0, 2.0, 1.0
# A loaded machine adds its own; what was measured is told.
SLACK_S = 6.0
POOL = 3
# An officer's queue, the operator's desk and the systems: what whoever looks after it needs.
OF_OFFICERS = ("/v1/officer/cases", "/v1/officer/deliveries", "/v1/officer/sessions")


@pytest.fixture(scope="module")
def pooler(postgres_url: str) -> Iterator[FaultProxy]:
    given = make_url(postgres_url)
    folder = given.query.get("host")
    target = Path(str(folder)) / ".s.PGSQL.5432" if folder else int(given.port or 5432)
    with fault_proxy(target) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], pooler: FaultProxy) -> dict[str, str]:
    through = make_url(environment["LOKET_DATABASE_URL"]).set(host="127.0.0.1", port=pooler.port, query={})
    environment["LOKET_DATABASE_URL"] = through.render_as_string(hide_password=False)
    environment["LOKET_DB_POOL"] = str(POOL)
    return environment


@pytest.fixture
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        yield opened


async def test_with_every_connection_taken_others_queue_shortly_and_officers_and_health_are_answered(
    people: People, officers: Officers, tables: Tables, tell: Tell
) -> None:
    citizen, other, officer = await people.make(), await people.make(), await officers.make("supervisor")
    case = await draft(citizen)
    async with tables.connection.transaction():
        await tables.run("SELECT 1 FROM cases WHERE id = $1 FOR UPDATE", UUID(case["id"]))
        holding = [asyncio.create_task(citizen.post(case["links"]["withdraw"], {})) for _ in range(POOL)]
        await until_all_wait(tables)
        begun = time.monotonic()
        waiting = asyncio.create_task(other.get("/v1/cases"))
        served = [await other.get("/healthz"), *[await officer.get(path) for path in OF_OFFICERS]]
        served_s = time.monotonic() - begun
        refused = await waiting
        queued_s = time.monotonic() - begun
        held = await asyncio.gather(*holding)
    assert {answer.url.path: answer.status_code for answer in served} == dict.fromkeys(("/healthz", *OF_OFFICERS), 200)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert {answer.status_code for answer in held} == {503}
    tell(
        f"F18: every connection taken: 503 after {queued_s:.1f} s in the queue, asked {QUEUE_S} s; health and officers "
        f"({len(served)} requests) answered in {served_s:.2f} s"
    )
    assert queued_s < QUEUE_S + SLACK_S
    assert (await other.get("/v1/cases")).status_code == 200


async def test_the_pooler_starts_anew(citizen: Citizen, pooler: FaultProxy, tell: Tell) -> None:
    assert (await citizen.get("/v1/cases")).status_code == 200
    pooler.set("reset")
    down = await citizen.get("/v1/cases")
    assert (down.status_code, down.json()["code"]) == (503, "database_unavailable")
    assert (await citizen.get("/healthz")).status_code == 200
    await asyncio.sleep(DOWN_S)
    pooler.heal()
    back_s = await served_after_s(citizen)
    tell(f"F18: served again {back_s:.2f} s after the pooler's return; asked {BACK_S} s")
    assert back_s < BACK_S + SLACK_S


async def test_the_server_takes_no_more_connections(citizen: Citizen, pooler: FaultProxy, postgres_url: str) -> None:
    """Others took them all: what we hold still serves, and what we lost comes back once there is room."""
    hoard: list[asyncpg.Connection[asyncpg.Record]] = []
    try:
        while True:
            hoard.append(await asyncpg.connect(driver_url(postgres_url), timeout=5))
    except (asyncpg.TooManyConnectionsError, asyncpg.PostgresError):
        pass
    try:
        pooler.set("reset")
        pooler.heal()
        answer = await citizen.get("/v1/cases")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert (await citizen.get("/healthz")).status_code == 200
    finally:
        await asyncio.gather(*(connection.close() for connection in hoard))
    assert await served_after_s(citizen) < BACK_S + SLACK_S


async def draft(citizen: Citizen) -> dict[str, Any]:
    body = {"service": SERVICE, "form": {}, "draft": True}
    answer: httpx.Response = await citizen.post("/v1/cases", body, key=new_key())
    made: dict[str, Any] = answer.json()
    return made


async def until_all_wait(tables: Tables) -> None:
    for _ in range(1000):
        if await tables.value("SELECT count(*) FROM pg_locks WHERE NOT granted") >= POOL:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("they do not wait")


async def served_after_s(citizen: Citizen) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < 60:
        if (await citizen.get("/v1/cases")).status_code == 200:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - begun

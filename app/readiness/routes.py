"""HTTP of liveness and readiness, for whatever watches over the processes."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from app.database import AWAY, Database
from app.login.guards import PUBLIC
from app.problems import problems
from app.readiness.beats import any_worker
from app.valkey import Valkey, ValkeyDown

PART_BUDGET_S = 1.0

State = Literal["ok", "down"]


class Alive(msgspec.Struct):
    status: Literal["ok"] = "ok"


class Parts(msgspec.Struct):
    """`valkey` down alone leaves the service usable, only slower to forget and to tell."""

    database: State
    valkey: State
    worker: State


class Ready(msgspec.Struct):
    status: Literal["ready", "not_ready"]
    parts: Parts


@get(
    "/healthz",
    opt=PUBLIC,
    operation_id="read_liveness",
    summary="Alive",
    tags=["operations"],
    responses=problems(public=True),
)
async def healthz() -> Alive:
    return Alive()


@get(
    "/readyz",
    opt=PUBLIC,
    operation_id="read_readiness",
    summary="Ready: database, Valkey, and a worker's heartbeat within 30 s",
    tags=["operations"],
    responses={
        **problems(public=True),
        503: ResponseSpec(Ready, generate_examples=False, description="Not ready; the parts say why"),
    },
)
async def readyz(database: NamedDependency[Database], valkey: NamedDependency[Valkey]) -> Response[Ready]:
    answers = await asyncio.gather(_within(_ping(database)), _within(valkey.ping()), _within(any_worker(database)))
    states: list[State] = ["ok" if answer else "down" for answer in answers]
    parts = Parts(*states)
    ready = all(state == "ok" for state in states)
    return Response(Ready("ready" if ready else "not_ready", parts), status_code=200 if ready else 503)


async def _within(check: Awaitable[bool | None]) -> bool:
    try:
        async with asyncio.timeout(PART_BUDGET_S):
            return await check is not False
    except (*AWAY, ValkeyDown):
        return False


async def _ping(database: Database) -> bool:
    async with database.connection() as connection:
        return bool(await connection.fetchval("SELECT true"))


ROUTES = [healthz, readyz]

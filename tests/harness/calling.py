"""An agency's client as one process of the product has it, with the breaker and the turns that processes share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec
from aiohttp.abc import AbstractResolver

from app.agency_client import AgencyClient, Call, Shared
from app.backends.tools import Backends
from app.database import Database
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings, Reach
from app.valkey import Valkey
from tests.harness.listener import Behaviour, Server, listening
from tests.harness.waiting import start_hearing

NOWHERE = "redis://127.0.0.1:1"
READ = Call(operation="read", path="/thing")
WRITE = Call(operation="write", path="/thing", method="POST", json={"nik": "3571024505909001"})


class Caller(msgspec.Struct, frozen=True):
    """One process: its client, and what it knows together with the others."""

    client: AgencyClient
    backends: Backends
    valkey: Valkey


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a client is to be."""

    name: str = ""
    concurrency: int = 4
    operations: Mapping[str, OperationPolicy] = {}
    reach: Reach = Reach()
    resolver: AbstractResolver | None = None


def new_name() -> str:
    """A backend that no other test has put anything into Valkey for."""
    return f"agency_{uuid4().hex[:12]}"


def manifest_of(wish: Wish) -> IntegrationManifest:
    policies = {"read": OperationPolicy(safe=True, budget_s=10), "write": OperationPolicy(budget_s=10)}
    return IntegrationManifest(
        name="agency",
        title="Agency",
        agency="agency",
        serves=[],
        protocol="test",
        concurrency=wish.concurrency,
        operations={**policies, **wish.operations},
    )


@asynccontextmanager
async def calling_from(url: str, valkey_url: str = NOWHERE, wish: Wish | None = None) -> AsyncIterator[Caller]:
    """A process that calls `url`. Two with one name and one Valkey share what they find out."""
    wish = wish or Wish()
    valkey = Valkey(valkey_url)
    # Operators' decisions are read from the database by those tests that make some.
    backends = Backends.of(Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1, name="test"), valkey)
    shared = Shared(breakers=backends.breakers, pace=backends.pace, leases=backends.leases, resolver=wish.resolver)
    settings = BackendSettings(wish.name or new_name(), url, {}, reach=wish.reach)
    client = AgencyClient(manifest_of(wish), settings, shared)
    if valkey_url != NOWHERE:
        await start_hearing(valkey)
    try:
        yield Caller(client, backends, valkey)
    finally:
        await client.close()
        await backends.leases.close()
        await valkey.close()


@asynccontextmanager
async def calling(
    behave: Behaviour, valkey_url: str = NOWHERE, wish: Wish | None = None
) -> AsyncIterator[tuple[Caller, Server]]:
    """A process that calls an agency which behaves so."""
    async with (
        listening(behave) as server,
        calling_from(f"http://127.0.0.1:{server.port}", valkey_url, wish) as caller,
    ):
        yield caller, server

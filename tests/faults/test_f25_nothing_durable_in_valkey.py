"""F25: nothing in Valkey is of record: whatever a working product puts there goes by itself, and nothing is a queue."""

from collections.abc import Iterator

import msgspec
import pytest
from redis.asyncio import Redis

from app.backends import actions
from app.backends.controls import Controls
from app.database import Database
from app.valkey import Valkey
from tests.harness.calling import READ, calling
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.listener import answering
from tests.harness.own_valkey import OwnValkey, own_valkey
from tests.harness.people import Citizen
from tests.harness.product import Running
from tests.harness.tickets import take

# The longest anything may be kept there.
LONGEST_S = 24 * 3600
KINDS = {b"string", b"hash"}


@pytest.fixture(scope="module")
def valkey() -> Iterator[OwnValkey]:
    with own_valkey() as own:
        yield own


@pytest.fixture(scope="module")
def valkey_url(valkey: OwnValkey) -> str:
    return valkey.url


async def keys_of(valkey: OwnValkey) -> dict[bytes, tuple[bytes, int]]:
    """Every key's kind, and how many milliseconds it has left."""
    async with Redis.from_url(valkey.url) as client:
        found = {key: (await client.type(key), await client.pttl(key)) async for key in client.scan_iter()}
    return msgspec.convert(found, dict[bytes, tuple[bytes, int]])


async def test_every_key_goes_by_itself_and_none_is_a_queue(
    valkey: OwnValkey, citizen: Citizen, worker: Running
) -> None:
    ticket = await take(citizen)
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    assert (await citizen.get(f"/v1/health/tickets/{ticket['id']}")).json()["state"] == "fresh"
    async with calling(answering("500 Internal Server Error"), valkey.url) as (caller, _server):
        for _ in range(6):
            await caller.client.call(READ) if caller.client._breakers["read"].is_plain else None
    found = await keys_of(valkey)
    assert {key.split(b":")[0] for key in found} >= {b"read", b"breaker"}
    assert [key for key, (_, left_ms) in found.items() if not 0 < left_ms <= LONGEST_S * 1000] == []
    assert {kind for kind, _ in found.values()} <= KINDS


async def test_flushed_it_takes_nothing_with_it(
    valkey: OwnValkey, citizen: Citizen, worker: Running, postgres_url: str
) -> None:
    database, told = Database(postgres_url, pool_size=2, name="test"), Valkey(valkey.url)
    async with database.begin() as connection:
        await actions.hold_breaker(connection, ("nobody", "read"), "open", "tetap", "officer-1")
    case = await hand_in(citizen)
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    controls = Controls(database, told)
    await controls.look()
    assert controls.held("nobody", "read") == "open"
    assert (await citizen.get("/v1/me")).status_code == 200
    await told.close()
    await database.close()

"""PostgreSQL itself is never taken for a pooler that shares connections; what is one is tried in tests/pooled.py."""

import asyncio

from app.database import Database
from app.pooling import is_shared, wait_for_own_connections
from tests.harness.servers import Servers


async def test_a_connection_of_its_own_is_none_that_is_shared(servers: Servers, postgres_url: str) -> None:
    others = [Database(postgres_url, pool_size=1, name="test") for _ in range(6)]
    for address in (postgres_url, servers.serving_url(postgres_url)):
        database = Database(address, pool_size=1, name="test")
        for _ in range(20):
            seen, *_ = await asyncio.gather(is_shared(database), *(each.fetch("SELECT 1") for each in others))
            assert seen is False
        await wait_for_own_connections(database)
        await database.close()
    for each in others:
        await each.close()

"""PostgreSQL goes away in the middle of what a request asks: the request is told to come again, nothing else."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from app.asking import as_citizen, asking
from app.database import Connection, Database
from app.problems import known
from tests.harness.tables import Tables


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=2, name="test")
    yield opened
    await opened.close()


async def end(connection: Connection, postgres_url: str) -> None:
    pid = connection.get_server_pid()
    async with Tables(postgres_url) as tables:
        assert await tables.value("SELECT pg_terminate_backend($1, 10000)", pid)


async def ask(database: Database, postgres_url: str, asked: str) -> None:
    """As a citizen, on a connection that ends meanwhile."""
    with asking(as_citizen(uuid4())):
        async with database.connection() as connection:
            await end(connection, postgres_url)
            if asked:
                await connection.fetchval(asked)


@pytest.mark.parametrize("asked", ["", "SELECT 1"], ids=["after the last statement", "before it"])
async def test_a_citizens_statement_whose_connection_ends_may_be_asked_again(
    database: Database, postgres_url: str, asked: str
) -> None:
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)) as lost:
        await ask(database, postgres_url, asked)
    refusal = known(lost.value)
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (503, "database_unavailable", 2)
    # The next one is served.
    assert await database.fetch("SELECT 1 AS one")

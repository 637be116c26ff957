"""Driver connections at hand: the next borrower has the same one, unless anything was wrong with it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from app import lending
from app.asking import SERVICE, as_citizen, asking
from app.database import Connection, Database, driver_url
from app.lending import Lender
from tests.harness.tables import Tables
from tests.harness.waiting import until


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=2, name="test")
    yield opened
    await opened.close()


async def pid_of(database: Database, spoil: str = "") -> int:
    async with database.said() as connection:
        if spoil:
            await connection.execute(spoil)
        return int(connection.get_server_pid())


def is_gone(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def test_the_next_borrower_has_the_same_one(database: Database) -> None:
    first = await pid_of(database)
    assert [await pid_of(database) for _ in range(3)] == [first] * 3


async def test_a_transaction_left_open_reaches_nobody_else(database: Database) -> None:
    await pid_of(database, "BEGIN")
    async with database.said() as connection, connection.transaction():
        assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")


async def test_after_a_failure_others_are_served(database: Database) -> None:
    for _ in range(5):
        with pytest.raises(asyncpg.UndefinedTableError):
            await pid_of(database, "SELECT * FROM nothing_of_this_name")
    assert await database.fetch_said("SELECT 1")


async def test_after_a_statement_is_broken_off_others_are_served(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.fetch_said("SELECT pg_sleep(60)")
    assert [row["one"] for row in await database.fetch_said("SELECT 1 AS one")] == [1]


async def test_one_that_ended_at_hand_is_replaced(database: Database, postgres_url: str) -> None:
    async with database.said() as held:
        pid = held.get_server_pid()
    async with Tables(postgres_url) as tables:
        assert await tables.value("SELECT pg_terminate_backend($1, 10000)", pid)
    await until(lambda: is_gone(held))
    assert await pid_of(database) != pid


async def test_one_that_was_idle_for_too_long_is_replaced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await pid_of(database)
    monkeypatch.setattr(lending, "IDLE_S", 0.0)
    assert await pid_of(database) != first


async def test_now_and_then_the_pool_has_one_back_and_replaces_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "BACK_EVERY", 3)
    lender = Lender(await asyncpg.create_pool(driver_url(postgres_url), min_size=1, max_size=1, max_queries=1), 1, 30.0)
    pids = []
    for _ in range(6):
        borrowed = await lender.take()
        pids.append(await borrowed.fetchval("SELECT pg_backend_pid()"))
        await lender.give_back(borrowed, whole=True)
    await lender.close()
    assert [pid == pids[0] for pid in pids] == [True] * 3 + [False] * 3
    assert len(set(pids)) == 2


async def test_who_waits_is_served_and_who_waits_too_long_is_told(postgres_url: str) -> None:
    pool = await asyncpg.create_pool(driver_url(postgres_url), min_size=1, max_size=1)
    patient, hasty = Lender(pool, 1, 30.0), Lender(pool, 0, 0.05)
    held = await patient.take()
    with pytest.raises(TimeoutError):
        await hasty.take()
    waiting = asyncio.create_task(patient.take())
    await asyncio.sleep(0)
    await patient.give_back(held, whole=True)
    async with asyncio.timeout(10):
        await patient.give_back(await waiting, whole=True)
    await patient.close()


async def test_no_place_is_lost_or_won_whatever_borrowers_do(database: Database) -> None:
    async def borrow(number: int) -> None:
        # Some wait in vain, some are broken off in the middle, some fail.
        async with asyncio.timeout(0.002 * number if number % 3 else None), database.said() as connection:
            await connection.fetch("SELECT pg_sleep(0.003)" if number % 4 else "SELECT 1 / 0")

    await asyncio.gather(*(borrow(number) for number in range(60)), return_exceptions=True)
    async with asyncio.timeout(20), database.said() as one, database.said() as other:
        assert one.get_server_pid() != other.get_server_pid()
        waiting = asyncio.create_task(pid_of(database))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def said_by(database: Database) -> str:
    async with database.connection() as connection:
        return str(await connection.fetchval("SELECT current_setting('loket.asks')"))


@pytest.mark.parametrize("turns", range(1, 12))
async def test_who_asked_reaches_nobody_else_however_early_it_was_broken_off(database: Database, turns: int) -> None:
    """A client that hangs up, a home's part that was late: also while the connection was just being told who asks."""

    async def ask() -> None:
        with asking(as_citizen(uuid4())):
            await said_by(database)

    # The second time it is known how to say so, and is said at once.
    await ask()
    assert await said_by(database) == SERVICE
    asked = asyncio.create_task(ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    asked.cancel()
    [broken_off] = await asyncio.gather(asked, return_exceptions=True)
    assert broken_off is None or isinstance(broken_off, asyncio.CancelledError)
    async with asyncio.timeout(20):
        assert [await said_by(database) for _ in range(3)] == [SERVICE] * 3


async def test_who_is_broken_off_as_a_citizen_is_told_so(database: Database) -> None:
    """And nothing else: whoever waits for the end of a task that takes a cancellation for a failure waits for ever."""
    with asking(as_citizen(uuid4())), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await database.fetch("SELECT pg_sleep(60)")
    assert await said_by(database) == SERVICE

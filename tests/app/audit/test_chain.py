"""The chain: nobody waits for it, nothing that commits is left out, however late, and its order never changes."""

import asyncio

import asyncpg
import pytest

from app.audit.actions import record_on
from app.audit.chain import chain_head, link_new
from app.audit.verify import verify
from app.database import Database, driver_url
from tests.app.audit.rows import entry, write, write_and_link

_LINKED = "SELECT object_id FROM audit_rows JOIN audit_links ON row_id = id ORDER BY position"


async def linked(database: Database) -> list[str]:
    return [row["object_id"] for row in await database.fetch(_LINKED)]


async def test_a_row_that_commits_late_is_chained_and_nothing_before_it_moves(database: Database) -> None:
    await write_and_link(database, 3)
    before = await linked(database)
    async with database.connection() as late:
        transaction = late.transaction()
        await transaction.start()
        await write(late, 1, first=900)
        async with database.begin() as quick:
            await write(quick, 1, first=901)
        assert await link_new(database) == 0, "what began later waits: something before it may still appear"
        await transaction.commit()
    assert await link_new(database) == 2
    assert await linked(database) == [*before, "case-900", "case-901"]


async def test_a_row_that_is_rolled_back_leaves_no_gap(database: Database) -> None:
    before = await linked(database)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await write(connection, 2, first=910)
        await transaction.rollback()
    await write_and_link(database, 1)
    async with database.connection() as connection:
        report = await verify(connection, [])
    assert report.fault is None
    assert report.head.position == len(before) + 1


async def test_many_writers_do_not_wait_for_each_other_nor_for_the_chain(database: Database) -> None:
    """Each of ten holds its transaction open until all ten have written: with a chain in the writers' way, or a lock,
    the second would wait for the first until it is cut off."""
    together, waited = asyncio.Barrier(10), 30

    async def writer(number: int) -> None:
        async with database.begin() as connection:
            await record_on(connection, entry(2000 + number))
            async with asyncio.timeout(waited):
                await together.wait()

    begun = len(await linked(database))
    await asyncio.gather(*(writer(number) for number in range(10)))
    while await link_new(database):
        pass
    assert len(await linked(database)) == begun + 10


async def test_linking_twice_at_once_links_each_row_once(database: Database) -> None:
    async with database.begin() as connection:
        await write(connection, 300, first=3000)
    counts = await asyncio.gather(*(link_new(database) for _ in range(4)))
    while more := await link_new(database):
        counts.append(more)
    assert sum(counts) == 300
    async with database.connection() as connection:
        assert (await verify(connection, [])).fault is None


async def test_a_database_from_a_dump_goes_on_where_it_was(database: Database, postgres_url: str) -> None:
    """Restored into a new cluster its rows are of transactions that cluster has not come to yet."""
    await write_and_link(database, 2)
    owner = await asyncpg.connect(driver_url(postgres_url))
    try:
        await owner.execute("ALTER TABLE audit_rows DISABLE TRIGGER USER")
        await owner.execute("UPDATE audit_rows SET transaction_id = transaction_id + 1000000000")
        await owner.execute("ALTER TABLE audit_rows ENABLE TRIGGER USER")
    finally:
        await owner.close()
    begun = await linked(database)
    assert (await write_and_link(database, 3)).position == len(begun) + 3
    assert (await write_and_link(database, 3)).position == len(begun) + 6
    assert await linked(database) == [*begun, *["case-0", "case-1", "case-2"] * 2]


@pytest.mark.parametrize("table", ["audit_rows", "audit_links"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
async def test_even_its_owner_does_not_change_it_by_mistake(database: Database, table: str, change: str) -> None:
    column = "row_id" if table == "audit_links" else "actor_id"
    async with database.connection() as connection:
        head = await chain_head(connection)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only grows"):
            await connection.execute(change.format(table, column, column))
        assert await chain_head(connection) == head

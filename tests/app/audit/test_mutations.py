"""10,000 mutations of a copy, each found: edit, delete, swap, insert, truncated tail, whole chain made anew.

Without anchors the last two would pass: that is shown too, so that the test could fail.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.audit.chain import GENESIS, ROW_COLUMNS, next_digest
from app.audit.port import Head
from app.audit.verify import Fault, examine
from app.database import Connection, Database, driver_url
from tests.app.audit.rows import write_and_link
from tests.harness.servers import Servers

ROWS, ROUNDS, SEED = 16, 10_000, 20261121
TEXTS = ("actor_kind", "actor_id", "action", "object_kind", "object_id", "purpose", "legal_basis", "request_id")
OTHERS = {
    "at": "at + interval '1 microsecond'",
    "subject_id": "gen_random_uuid()",
    "fields": "fields || '[\"nik\"]'",
    "transaction_id": "transaction_id + 1",
}
_REST = "actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields, request_id"

Mutation = Callable[[Connection, random.Random], Awaitable[None]]


class Copy:
    """A chained copy whose owner may do anything, and the anchor of its head."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self.connection = connection
        self.anchors = [head]

    async def found(self, mutation: Mutation, chance: random.Random, *, anchored: bool = True) -> Fault | None:
        """What `examine` says of the mutated copy, which is then as before."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            await mutation(self.connection, chance)
            return (await examine(self.connection, self.anchors if anchored else [])).fault
        finally:
            await transaction.rollback()


@pytest.fixture(scope="module")
def chained(postgres_url: str) -> Head:
    """The original, written and chained by the product; its head."""

    async def write() -> Head:
        database = Database(postgres_url, pool_size=2, name="test")
        try:
            return await write_and_link(database, ROWS)
        finally:
            await database.close()

    return asyncio.run(write())


@pytest.fixture(scope="module")
def copied_url(servers: Servers, postgres_url: str, chained: Head) -> Iterator[str]:
    assert chained.position == ROWS
    url = servers.create_database(make_url(postgres_url).database)
    yield url
    servers.drop_database(url)


@pytest.fixture(scope="module")
async def copy(copied_url: str, chained: Head) -> AsyncIterator[Copy]:
    connection: Any = await asyncpg.connect(driver_url(copied_url))
    for table in ("audit_rows", "audit_links"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield Copy(connection, chained)
    await connection.close()


async def edit(connection: Connection, chance: random.Random) -> None:
    column = chance.choice([*TEXTS, *OTHERS])
    value = OTHERS.get(column, f"{column} || 'x'")
    await connection.execute(f"UPDATE audit_rows SET {column} = {value} WHERE id = {await a_row(connection, chance)}")


async def edit_link(connection: Connection, chance: random.Random) -> None:
    flip = f"set_byte(digest, {chance.randrange(32)}, (get_byte(digest, 5) + {chance.randrange(1, 256)}) % 256)"
    row = await connection.fetchrow(f"SELECT digest, {flip} AS other FROM audit_links WHERE position = 7")
    if row and row["digest"] == row["other"]:
        flip = "sha256(digest)"
    await connection.execute(f"UPDATE audit_links SET digest = {flip} WHERE position = 7")


async def delete_row(connection: Connection, chance: random.Random) -> None:
    await connection.execute(f"DELETE FROM audit_rows WHERE id = {await a_row(connection, chance)}")


async def delete_link(connection: Connection, chance: random.Random) -> None:
    await connection.execute(f"DELETE FROM audit_links WHERE position = {chance.randint(1, ROWS)}")


async def delete_both(connection: Connection, chance: random.Random) -> None:
    """And those behind move up, so that no number is missing."""
    position = chance.randint(1, ROWS - 1)
    await connection.execute(
        f"DELETE FROM audit_rows WHERE id = (SELECT row_id FROM audit_links WHERE position = {position})"
    )
    await connection.execute(f"DELETE FROM audit_links WHERE position = {position}")
    await connection.execute(f"UPDATE audit_links SET position = -position WHERE position > {position}")
    await connection.execute("UPDATE audit_links SET position = -position - 1 WHERE position < 0")


async def swap_rows(connection: Connection, chance: random.Random) -> None:
    one, other = chance.sample([row["id"] for row in await connection.fetch("SELECT id FROM audit_rows")], 2)
    values = ", ".join(f"{column.strip()} = other.{column.strip()}" for column in f"at, {_REST}".split(","))
    await connection.execute(
        f"UPDATE audit_rows SET {values} FROM audit_rows AS other "
        f"WHERE (audit_rows.id, other.id) IN (({one}, {other}), ({other}, {one}))"
    )


async def swap_links(connection: Connection, chance: random.Random) -> None:
    one, other = chance.sample(range(1, ROWS + 1), 2)
    await connection.execute(f"UPDATE audit_links SET position = -1 WHERE position = {one}")
    await connection.execute(f"UPDATE audit_links SET position = {one} WHERE position = {other}")
    await connection.execute(f"UPDATE audit_links SET position = {other} WHERE position = -1")


async def insert_unlinked(connection: Connection, chance: random.Random) -> None:
    """A row of the past that nobody chained."""
    await connection.execute(
        f"INSERT INTO audit_rows (at, {_REST}, transaction_id) SELECT at, {_REST}, transaction_id - 1 FROM audit_rows "
        f"WHERE id = {await a_row(connection, chance)}"
    )


async def insert_linked(connection: Connection, chance: random.Random) -> None:
    """A row of the past with a link that fits to what stands before it; those behind move on."""
    position = chance.randint(1, ROWS)
    await connection.execute(f"UPDATE audit_links SET position = -position WHERE position >= {position}")
    await connection.execute("UPDATE audit_links SET position = -position + 1 WHERE position < 0")
    row_id = await connection.fetchval(
        f"INSERT INTO audit_rows (at, {_REST}, transaction_id) SELECT at, {_REST}, transaction_id FROM audit_rows "
        f"WHERE id = {await a_row(connection, chance)} RETURNING id"
    )
    await connection.execute("INSERT INTO audit_links VALUES ($1, $2, '')", position, row_id)
    await chain_again(connection, upto=position)


async def truncate_tail(connection: Connection, chance: random.Random) -> None:
    first = chance.randint(1, ROWS)
    await connection.execute(
        f"DELETE FROM audit_rows WHERE id IN (SELECT row_id FROM audit_links WHERE position >= {first})"
    )
    await connection.execute(f"DELETE FROM audit_links WHERE position >= {first}")


async def rewrite(connection: Connection, chance: random.Random) -> None:
    """Any edit or deletion, and then a chain that fits to it from the beginning to the end."""
    await chance.choice([edit, delete_both, swap_rows, insert_linked])(connection, chance)
    await chain_again(connection)


async def edit_and_chain(connection: Connection, chance: random.Random) -> None:
    await edit(connection, chance)
    await chain_again(connection)


MUTATIONS: tuple[Mutation, ...] = (
    *(edit, edit_link, delete_row, delete_link, delete_both, swap_rows, swap_links),
    *(insert_unlinked, insert_linked, truncate_tail, rewrite),
)


async def a_row(connection: Connection, chance: random.Random) -> int:
    ids = await connection.fetch("SELECT row_id FROM audit_links ORDER BY position")
    return int(chance.choice(ids)["row_id"])


async def chain_again(connection: Connection, upto: int = 10**9) -> None:
    """Every digest made anew, by the product's own rule."""
    rows = await connection.fetch(
        f"SELECT position, {ROW_COLUMNS} FROM audit_links JOIN audit_rows ON row_id = audit_rows.id ORDER BY position"
    )
    digest, made = GENESIS.digest, []
    for position, *row in (tuple(row.values()) for row in rows):
        if position > upto:
            break
        digest = next_digest(digest, position, row)
        made.append((position, digest))
    await connection.execute(
        "UPDATE audit_links SET digest = made.digest FROM unnest($1::bigint[], $2::bytea[]) AS made(position, digest) "
        "WHERE audit_links.position = made.position",
        [position for position, _ in made],
        [digest for _, digest in made],
    )


async def test_the_untouched_copy_is_whole(copy: Copy) -> None:
    report = await examine(copy.connection, copy.anchors)
    assert (report.fault, report.head.position, report.anchors) == (None, ROWS, 1)


async def test_every_mutation_is_found(copy: Copy) -> None:
    chance, found, missed = random.Random(SEED), Counter[str](), []
    for number in range(ROUNDS):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        fault = await copy.found(mutation, chance)
        found[mutation.__name__] += fault is not None
        if fault is None:
            missed.append((number, mutation.__name__))
    assert missed == []
    assert sum(found.values()) == ROUNDS


@pytest.mark.parametrize("mutation", [truncate_tail, rewrite])
async def test_only_the_anchors_find_these(copy: Copy, mutation: Mutation) -> None:
    chance = random.Random(SEED)
    assert await copy.found(mutation, chance, anchored=False) is None


@pytest.mark.parametrize(
    ("mutation", "kind"),
    [
        (edit, "changed"),
        (delete_row, "row_missing"),
        (delete_link, "link_missing"),
        (swap_rows, "changed"),
        (insert_unlinked, "unlinked"),
        (truncate_tail, "truncated"),
        (edit_and_chain, "rewritten"),
    ],
)
async def test_says_what_kind_and_where(copy: Copy, mutation: Mutation, kind: str) -> None:
    fault = await copy.found(mutation, random.Random(SEED))
    assert fault is not None
    assert fault.kind == kind
    assert str(fault.position) in fault.words

"""Audit rows for tests, written as the product writes them, and the chain over them."""

from uuid import uuid4

from app.audit.actions import AuditEntry, record_on
from app.audit.chain import chain_head, link_new
from app.audit.port import Head
from app.database import Connection, Database


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        actor_kind="officer",
        actor_id=f"officer-{number % 7}",
        action="case.read",
        subject_id=uuid4(),
        object_kind="case",
        object_id=f"case-{number}",
        purpose="outdoor-advertising",
        legal_basis="uu-25-2009",
        fields=("form", "timeline"),
    )


async def write(connection: Connection, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await record_on(connection, entry(number))


async def write_and_link(database: Database, count: int) -> Head:
    """`count` more rows, chained; the chain's end."""
    async with database.begin() as connection:
        await write(connection, count)
    while await link_new(database):
        pass
    async with database.connection() as connection:
        return await chain_head(connection)

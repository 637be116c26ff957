"""The hash chain of the audit: each digest is SHA-256 over the one before it and the row in its canonical form.

Writers leave their rows unchained and wait for nobody; one worker at a time links what has committed, soon after.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.audit.port import Head
from app.database import Connection, Database

GENESIS = Head(0, bytes(32))
BATCH = 5000
# Text of an exact kind for every column, so that the form depends on no driver, locale or time zone.
ROW_COLUMNS = """
    audit_rows.id, (extract(epoch FROM at) * 1000000)::bigint AS at_us, actor_kind, actor_id, action, subject_id::text,
    object_kind, object_id, purpose, legal_basis, fields::text, request_id, transaction_id
"""
EXACT_VALUES = 13
_LOCK = "SELECT pg_try_advisory_xact_lock(7216540119)"
_HEAD = """
SELECT position, digest, coalesce((SELECT transaction_id FROM audit_rows WHERE id = row_id), 0) AS reached,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
FROM audit_links ORDER BY position DESC LIMIT 1
"""
# Every transaction below the snapshot's xmin has ended: nothing can still appear there, so nothing is passed over.
_SETTLED = f"""
SELECT {ROW_COLUMNS} FROM audit_rows
WHERE transaction_id >= $1 AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    AND NOT EXISTS (SELECT FROM audit_links WHERE row_id = audit_rows.id)
ORDER BY transaction_id, audit_rows.id LIMIT $2
"""  # noqa: S608 - constants of ours
# In a database that was restored from a dump, transactions count from the beginning again: look at every row.
_ANY = f"""
SELECT {ROW_COLUMNS} FROM audit_rows
WHERE NOT EXISTS (SELECT FROM audit_links WHERE row_id = audit_rows.id) ORDER BY audit_rows.id LIMIT $1
"""  # noqa: S608 - constants of ours


def next_digest(before: bytes, position: int, row: Sequence[Any]) -> bytes:
    """The digest of `row` (ROW_COLUMNS) at `position`, after the digest `before`."""
    return hashlib.sha256(before + msgspec.json.encode([position, *row])).digest()


async def link_new(database: Database) -> int:
    """Link what has committed since; how many rows. 0 also while another worker does it."""
    async with database.begin() as connection:
        if not await connection.fetchval(_LOCK):
            return 0
        rows, head = await _unlinked(connection)
        links = []
        for row in rows:
            position = head.position + 1
            head = Head(position, next_digest(head.digest, position, tuple(row.values())))
            links.append((position, row["id"], head.digest))
        if links:
            await connection.copy_records_to_table("audit_links", records=links)
    return len(links)


async def chain_head(connection: Connection) -> Head:
    """The chain's end; GENESIS while it is empty."""
    row = await connection.fetchrow(_HEAD)
    return Head(row["position"], row["digest"]) if row else GENESIS


async def _unlinked(connection: Connection) -> tuple[Sequence[Mapping[str, Any]], Head]:
    row = await connection.fetchrow(_HEAD)
    if row is None:
        return await connection.fetch(_SETTLED, 0, BATCH), GENESIS
    head = Head(row["position"], row["digest"])
    if row["reached"] >= row["horizon"]:
        return await connection.fetch(_ANY, BATCH), head
    return await connection.fetch(_SETTLED, row["reached"], BATCH), head

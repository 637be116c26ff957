"""Hearing what a backend tells: known once, it has us ask the backend about that one matter, and does nothing else."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from app.callbacks import strays
from app.callbacks.port import LONGEST, Tiding
from app.callbacks.strays import Heard, Teller
from app.database import Connection, Database

# Longer than any backend repeats itself, and than a recorded call of a backend without signatures is worth keeping.
KEPT = timedelta(days=90)
# Whoever tells a thing first holds its row until the transaction ends; the others find it known.
_ONCE = """
INSERT INTO callback_receipts AS known (backend, digest, about, reference, outcome) VALUES ($1, $2, $3, $4, 'unknown')
ON CONFLICT (backend, digest) DO UPDATE SET times = known.times + 1, last_at = now()
RETURNING (xmax = 0) AS is_first
"""
_PURGE = "DELETE FROM callback_receipts WHERE received_at < now() - $1::interval"


async def hear(connection: Connection, teller: Teller, tidings: Sequence[Tiding]) -> int:
    """How many had not been told before. In the caller's transaction."""
    new = 0
    for tiding in sorted(tidings, key=lambda each: (each.about, each.reference, each.sign)):
        new += await _hear_one(connection, teller, tiding)
    return new


async def purge(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(_PURGE, KEPT)
        await strays.purge(connection)


async def _hear_one(connection: Connection, teller: Teller, tiding: Tiding) -> bool:
    reference, sign = tiding.reference[:LONGEST], tiding.sign[:LONGEST]
    digest = hashlib.sha256("\0".join((tiding.about, reference, sign)).encode()).digest()
    if not await connection.fetchval(_ONCE, teller.backend, digest, tiding.about, reference):
        return False
    heard = Heard(teller.backend, digest, tiding.about, reference)
    if not await strays.act_on(connection, heard):
        await strays.keep(connection, teller, heard, sign)
    return True

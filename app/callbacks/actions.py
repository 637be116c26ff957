"""Hearing what a backend tells: known once, it has us ask the backend about that one matter, and does nothing else."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from app.callbacks.port import LONGEST, Tiding
from app.database import Connection, Database
from app.inbox.actions import ask_after

# Longer than any backend repeats itself, and than a recorded call of a backend without signatures is worth keeping.
KEPT = timedelta(days=90)
# Whoever tells a thing first holds its row until the transaction ends; the others find it known.
_ONCE = """
INSERT INTO callback_receipts AS known (backend, digest, about, reference, outcome) VALUES ($1, $2, $3, $4, 'unknown')
ON CONFLICT (backend, digest) DO UPDATE SET times = known.times + 1, last_at = now()
RETURNING (xmax = 0) AS is_first
"""
_ASKED = "UPDATE callback_receipts SET outcome = 'asked' WHERE backend = $1 AND digest = $2"
# A case that has ended is not asked after: nothing moves it any more.
_DUE = """
UPDATE cases SET next_refresh_at = least(next_refresh_at, now())
WHERE backend = $1 AND agency_reference = $2 AND next_refresh_at IS NOT NULL RETURNING 1
"""
_ENDED = "SELECT EXISTS (SELECT 1 FROM cases WHERE backend = $1 AND agency_reference = $2)"
_PURGE = "DELETE FROM callback_receipts WHERE received_at < now() - $1::interval"


async def hear(connection: Connection, backend: str, tidings: Sequence[Tiding]) -> int:
    """How many had not been told before. In the caller's transaction."""
    new = 0
    for tiding in sorted(tidings, key=lambda each: (each.about, each.reference, each.sign)):
        new += await _hear_one(connection, backend, tiding)
    return new


async def purge(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(_PURGE, KEPT)


async def _hear_one(connection: Connection, backend: str, tiding: Tiding) -> bool:
    reference, sign = tiding.reference[:LONGEST], tiding.sign[:LONGEST]
    digest = hashlib.sha256("\0".join((tiding.about, reference, sign)).encode()).digest()
    if not await connection.fetchval(_ONCE, backend, digest, tiding.about, reference):
        return False
    if await _asked(connection, backend, tiding.about, reference):
        await connection.execute(_ASKED, backend, digest)
    return True


async def _asked(connection: Connection, backend: str, about: str, reference: str) -> bool:
    if about == "message":
        return bool(await ask_after(connection, reference))
    if await connection.fetchval(_DUE, backend, reference) is not None:
        return True
    return bool(await connection.fetchval(_ENDED, backend, reference))

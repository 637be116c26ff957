"""What was proven and is about nothing of ours: kept, tried again once it is ours, and let go of in the end.

A backend may tell of a case before its own answer to the handing over has reached us.
"""

import logging
from datetime import timedelta
from typing import Literal

import msgspec

from app.callbacks.port import LONGEST
from app.database import Connection, Database
from app.ids import uuid7
from app.inbox.actions import ask_after
from app.privacy import Vault
from app.telemetry import mask_text

About = Literal["case", "message"]
SIGN_CONTEXT = "stray_callbacks.sign"
# Of one backend; beyond that the oldest go, those that nobody waits for before the others.
MOST = 1000
KEPT = timedelta(days=30)
_BATCH = 200
# A case that has ended is not asked after: nothing moves it any more.
_DUE = """
UPDATE cases SET next_refresh_at = least(next_refresh_at, now())
WHERE backend = $1 AND agency_reference = $2 AND next_refresh_at IS NOT NULL RETURNING 1
"""
_OURS = "SELECT EXISTS (SELECT 1 FROM cases WHERE backend = $1 AND agency_reference = $2)"
_ASKED = "UPDATE callback_receipts SET outcome = 'asked' WHERE backend = $1 AND digest = $2"
_KEEP = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (backend, digest) DO NOTHING
"""
_BEYOND = """
DELETE FROM stray_callbacks WHERE id IN (
    SELECT id FROM stray_callbacks WHERE backend = $1 ORDER BY state = 'waiting' DESC, id DESC OFFSET $2
    FOR UPDATE SKIP LOCKED
) RETURNING 1
"""
# Two workers at once each take others. What became ours since is asked about by whoever takes it.
_FOUND = f"""
UPDATE stray_callbacks SET state = 'matched', settled_at = now() WHERE id IN (
    SELECT id FROM stray_callbacks AS stray WHERE state = 'waiting' AND (
        about = 'case' AND EXISTS (
            SELECT 1 FROM cases WHERE cases.backend = stray.backend AND agency_reference = stray.reference)
        OR about = 'message' AND EXISTS (
            SELECT 1 FROM outgoing_messages AS sent
            WHERE gateway_id <> '' AND gateway_id = stray.reference AND sent.state = 'sent'))
    ORDER BY id LIMIT {_BATCH} FOR UPDATE SKIP LOCKED
) RETURNING backend, digest, about, reference
"""  # noqa: S608 - constants of ours
_PURGE = "DELETE FROM stray_callbacks WHERE received_at < now() - $1::interval"
log = logging.getLogger("loket.callbacks")


class Teller(msgspec.Struct, frozen=True):
    """The system that tells, whose it is, and what keeps its words."""

    backend: str
    agency: str
    vault: Vault


class Heard(msgspec.Struct, frozen=True):
    """One thing told; `digest` is of all of it."""

    backend: str
    digest: bytes
    about: About
    reference: str


async def act_on(connection: Connection, heard: Heard) -> bool:
    """Have the backend asked about it, and say so on its receipt; False where it is nothing of ours."""
    if not await _asked(connection, heard):
        return False
    await connection.execute(_ASKED, heard.backend, heard.digest)
    return True


async def keep(connection: Connection, teller: Teller, heard: Heard, sign: str) -> None:
    """For as long as it may still turn out to be ours, or until an officer has seen to it."""
    sealed = teller.vault.encrypt(mask_text(sign[:LONGEST]).encode(), SIGN_CONTEXT)
    given = (heard.backend, teller.agency, heard.digest, heard.about, heard.reference, sealed)
    await connection.execute(_KEEP, uuid7(), *given)
    if gone := await connection.fetch(_BEYOND, heard.backend, MOST):
        log.warning("%d callbacks of %s about nothing of ours were let go of: too many", len(gone), heard.backend)


async def match(database: Database) -> int:
    """Act on what became ours since it was told; how many were. A few hundred at a time: the next look has the rest."""
    async with database.begin() as connection:
        found = [Heard(**row) for row in await connection.fetch(_FOUND)]
        for heard in sorted(found, key=lambda each: (each.about, each.reference)):
            await act_on(connection, heard)
    return len(found)


async def purge(connection: Connection) -> None:
    await connection.execute(_PURGE, KEPT)


async def _asked(connection: Connection, heard: Heard) -> bool:
    if heard.about == "message":
        return await ask_after(connection, heard.reference)
    if await connection.fetchval(_DUE, heard.backend, heard.reference) is not None:
        return True
    return bool(await connection.fetchval(_OURS, heard.backend, heard.reference))

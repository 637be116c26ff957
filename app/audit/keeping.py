"""What a worker does for the audit: linking its rows, and anchoring the chain's end outside the database."""

import asyncio
import logging
import time
from collections.abc import Sequence

from app.audit.chain import BATCH, GENESIS, chain_head, link_new
from app.audit.port import AnchorBroken, AnchorPort
from app.database import AWAY, Connection, Database

log = logging.getLogger("loket.audit")

LINK_EVERY_S = 1.0
# No minute passes without: what looks for it, and what it takes, come on top.
ANCHOR_EVERY_S = 50.0
# Where it could not be.
ANCHOR_AGAIN_S = 5.0
_DIGEST_AT = "SELECT digest FROM audit_links WHERE position = $1"


async def keep_audit(database: Database, anchors: Sequence[AnchorPort]) -> None:
    """Link and anchor until cancelled."""
    due = time.monotonic()
    while True:
        linked = 0
        try:
            linked = await link_new(database)
            if time.monotonic() >= due:
                due = time.monotonic() + ANCHOR_AGAIN_S
                await anchor_head(database, anchors)
                due = time.monotonic() + ANCHOR_EVERY_S
        except AWAY:
            log.exception("the audit could not be chained now")
        if linked < BATCH:
            await asyncio.sleep(LINK_EVERY_S)


async def anchor_head(database: Database, anchors: Sequence[AnchorPort]) -> None:
    """Give the chain's end to every place outside. A place whose newest anchor the chain does not hold any more gets
    no other: then somebody changed the past, and what it remembers is the proof."""
    async with database.connection() as connection:
        head = await chain_head(connection)
        if head == GENESIS:
            return
        for place in anchors:
            try:
                if await _agrees(connection, place):
                    await place.anchor(head)
                else:
                    log.error("the audit's chain contradicts its anchors: run `loket audit verify`")
            except AnchorBroken as broken:
                log.error("the audit's anchors are not what we wrote: %s", broken)


async def _agrees(connection: Connection, place: AnchorPort) -> bool:
    kept = await place.newest()
    return kept is None or await connection.fetchval(_DIGEST_AT, kept.position) == kept.digest

"""What a worker does for the audit: linking its rows, and anchoring the chain's end outside the database."""

import asyncio
import logging
import time
from collections.abc import Sequence

from prometheus_client import Gauge

from app.audit.chain import BATCH, GENESIS, chain_head, link_new
from app.audit.port import AnchorBroken, AnchorPort, Head
from app.database import AWAY, Connection, Database

log = logging.getLogger("loket.audit")

LINK_EVERY_S = 1.0
# No minute passes without: what looks for it, and what it takes, come on top.
ANCHOR_EVERY_S = 50.0
# Where it could not be.
ANCHOR_AGAIN_S = 5.0
ANCHORED = Gauge("loket_audit_anchored_timestamp_seconds", "When this worker last found the audit's chain anchored")
_DIGEST_AT = "SELECT digest FROM audit_links WHERE position = $1"


async def keep_audit(database: Database, anchors: Sequence[AnchorPort]) -> None:
    """Link and anchor until cancelled."""
    due = time.monotonic()
    ANCHORED.set_to_current_time()
    while True:
        linked = 0
        try:
            linked = await link_new(database)
            if time.monotonic() >= due:
                due = time.monotonic() + ANCHOR_AGAIN_S
                if await anchor_head(database, anchors):
                    ANCHORED.set_to_current_time()
                    due = time.monotonic() + ANCHOR_EVERY_S
        except AWAY:
            log.exception("the audit could not be chained now")
        if linked < BATCH:
            await asyncio.sleep(LINK_EVERY_S)


async def anchor_head(database: Database, anchors: Sequence[AnchorPort]) -> bool:
    """Give the chain's end to every place outside; whether all have it. A place whose newest anchor the chain does not
    hold any more gets no other: then somebody changed the past, and what it remembers is the proof."""
    async with database.connection() as connection:
        head = await chain_head(connection)
        return head == GENESIS or all([await _anchor(connection, place, head) for place in anchors])


async def _anchor(connection: Connection, place: AnchorPort, head: Head) -> bool:
    try:
        kept = await place.newest()
        if kept is None:
            log.warning("no anchor of the audit is in this folder: a new file begins at position %d", head.position)
        elif await connection.fetchval(_DIGEST_AT, kept.position) != kept.digest:
            log.error("the audit's chain contradicts its anchors: run `loket audit verify`")
            return False
    except AnchorBroken as broken:
        log.error("the audit's anchors are not what we wrote: %s", broken)
        return False
    try:
        await place.anchor(head)
    except OSError as error:
        log.error("the audit's anchor could not be kept: %s", error.strerror)
        return False
    return True

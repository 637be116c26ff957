"""Proving that the audit is whole: every row, every link, and every anchor that stands outside the database."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import msgspec

from app.audit.chain import GENESIS, ROW_COLUMNS, next_digest
from app.audit.port import Head
from app.database import Connection

PAGE = 20_000
# A row waits this long for its link at most, while a worker runs.
PATIENCE = "10 minutes"
# Told how far it is.
Tell = Callable[[int], Awaitable[None]]
FaultKind = Literal["link_missing", "row_missing", "changed", "unlinked", "rewritten", "truncated"]
# Read by one cursor: a statement for each page would be planned to scan every row again and again.
_CHAIN = f"""
SELECT links.position, links.row_id, links.digest, {ROW_COLUMNS}
FROM audit_links AS links LEFT JOIN audit_rows ON audit_rows.id = links.row_id ORDER BY links.position
"""  # noqa: S608 - constants of ours
# Written before the chain's newest row and not in it, or waiting for too long.
_UNLINKED = f"""
SELECT id FROM audit_rows
WHERE NOT EXISTS (SELECT FROM audit_links WHERE row_id = audit_rows.id) AND (at < now() - interval '{PATIENCE}'
    OR transaction_id < (SELECT transaction_id FROM audit_rows JOIN audit_links ON row_id = audit_rows.id
        ORDER BY position DESC LIMIT 1))
ORDER BY id LIMIT 1
"""  # noqa: S608 - constants of ours


class Fault(msgspec.Struct, frozen=True):
    """The first thing that is wrong, and at which position of the chain; for a row that is in no chain, its id."""

    kind: FaultKind
    position: int

    @property
    def words(self) -> str:
        """For the person at the terminal."""
        return _WORDS[self.kind].format(position=self.position)


class Report(msgspec.Struct, frozen=True):
    """How far the chain is whole, how many anchors confirm it, and the fault that ended it."""

    head: Head
    anchors: int
    fault: Fault | None


_WORDS: Mapping[FaultKind, str] = {
    "link_missing": "position {position}: there is no link; it was taken away",
    "row_missing": "position {position}: its row was deleted",
    "changed": "position {position}: the row, or its link, is not what was chained",
    "unlinked": "row {position} stands in no link: it was put in, or its link was taken away",
    "rewritten": "position {position}: an anchor outside the database says otherwise; the chain was made anew",
    "truncated": "position {position} is anchored outside the database, but the chain ends before it",
}


async def verify(connection: Connection, anchors: Sequence[Head], tell: Tell | None = None) -> Report:
    """Go through the whole chain as it stands at this moment; stops at the first fault. `tell` hears of each page."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await examine(connection, anchors, tell)


async def examine(connection: Connection, anchors: Sequence[Head], tell: Tell | None = None) -> Report:
    """The same as the transaction that `connection` is in sees it."""
    async with connection.transaction():
        report = await _examine_links(connection, anchors, tell)
    if report.fault is None and (row_id := await connection.fetchval(_UNLINKED)) is not None:
        return msgspec.structs.replace(report, fault=Fault("unlinked", row_id))
    return report


async def _examine_links(connection: Connection, anchors: Sequence[Head], tell: Tell | None) -> Report:
    anchored = {head.position: head.digest for head in anchors}
    contradicted = _contradicted(anchors)
    head, confirmed = GENESIS, 0
    cursor = await connection.cursor(_CHAIN)
    while page := await cursor.fetch(PAGE):
        for record in page:
            position, row_id, digest, *row = record.values()
            expected = head.position + 1
            fault: FaultKind | None = None
            if position != expected:
                fault = "link_missing"
            elif row[0] != row_id:
                fault = "row_missing"
            elif next_digest(head.digest, position, row) != digest:
                fault = "changed"
            elif anchored.get(position, digest) != digest or position in contradicted:
                fault = "rewritten"
            if fault:
                return Report(head, confirmed, Fault(fault, expected))
            head = Head(position, digest)
            confirmed += position in anchored
        if tell is not None:
            await tell(head.position)
    beyond = [position for position in anchored if position > head.position]
    fault_beyond = Fault("truncated", min(beyond)) if beyond else None
    return Report(head, confirmed, fault_beyond)


def _contradicted(anchors: Sequence[Head]) -> set[int]:
    """Positions that were anchored twice with different digests: whichever stands now, the other was taken away."""
    known: dict[int, bytes] = {}
    return {head.position for head in anchors if known.setdefault(head.position, head.digest) != head.digest}

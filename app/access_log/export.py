"""The whole of one citizen's access log as JSON lines, with what proves it: each row exactly as it was chained, the
digests before and after it, and the newest anchor that stands outside the database, with its signature."""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.access_log.reads import NEWEST, Rest, Row, chained_rows, pending_rows
from app.access_log.schemas import AccessEntry
from app.access_log.wording import Words
from app.audit.anchor_file import SignedFile
from app.audit.chain import EXACT_VALUES, GENESIS, chain_head
from app.audit.evidence import EndLine, HeadLine, RowLine
from app.database import Database, utc_now

PAGE = 200


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines are made with."""

    database: Database
    anchors: SignedFile
    words: Words
    mine: Sequence[UUID]
    city: str


async def lines(told: Told) -> AsyncIterator[bytes]:
    """The head, every chained row, newest first, those not chained yet, and the end."""
    async with told.database.connection() as connection:
        head = await chain_head(connection)
    anchor = await told.anchors.newest_line()
    yield _line(
        HeadLine(
            city=told.city,
            exported_at=utc_now(),
            subjects=list(told.mine),
            position=head.position,
            digest=head.digest.hex(),
            anchor=base64.b64encode(anchor).decode(),
            anchor_key=told.anchors.public_key.hex(),
        )
    )
    count = 0
    for read in (chained_rows, pending_rows):
        rest = Rest(NEWEST, head.position, PAGE)
        while rows := await read(told.database, told.mine, rest):
            for row in rows:
                yield _line(_row_line(row, told.words.entry(row), head.position))
            count += len(rows)
            rest = msgspec.structs.replace(rest, before=rows[-1]["id"])
    yield _line(EndLine(rows=count))


def _row_line(row: Row, words: AccessEntry, reached: int) -> RowLine:
    exact: list[Any] = list(row.values())[:EXACT_VALUES]
    if row["position"] is None or row["position"] > reached:
        return RowLine(exact=exact, words=msgspec.to_builtins(words))
    before = row["before"] if row["before"] is not None else GENESIS.digest
    return RowLine(
        position=row["position"],
        before=before.hex(),
        digest=row["digest"].hex(),
        exact=exact,
        words=msgspec.to_builtins(words),
    )


def _line(line: HeadLine | RowLine | EndLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"

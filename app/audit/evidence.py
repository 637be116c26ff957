"""An exported access log against the record: that each of its rows stands in the chain as it says, and none is missing.

What it holds of the record it proves by itself (digests over the rows); that the chain goes on as it was anchored, and
that no row was left out, only the record can show.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.audit.chain import next_digest
from app.audit.port import AnchorBroken, Head
from app.database import Connection

FORMAT: Literal["loket-access-log/1"] = "loket-access-log/1"
_SUBJECT = 5
_LINKS = "SELECT position, digest FROM audit_links WHERE position = ANY($1::bigint[])"
_POSITIONS = """
SELECT position FROM audit_rows JOIN audit_links ON row_id = audit_rows.id
WHERE subject_id = ANY($1::uuid[]) AND position <= $2 ORDER BY position
"""


class HeadLine(msgspec.Struct, tag="head", tag_field="line", kw_only=True, frozen=True):
    """How far the chain had come, and its newest anchor: the signed line itself, base64, "" where there was none."""

    format: Literal["loket-access-log/1"] = FORMAT
    city: str
    exported_at: datetime
    subjects: list[UUID]
    position: int
    digest: str
    anchor: str
    anchor_key: str


class RowLine(msgspec.Struct, tag="row", tag_field="line", kw_only=True, frozen=True):
    """One row. `exact`: the values that were chained; `words`: the same for people. Without a position it was not
    chained yet."""

    position: int | None = None
    before: str = ""
    digest: str = ""
    exact: list[Any]
    words: dict[str, Any]


class EndLine(msgspec.Struct, tag="end", tag_field="line", kw_only=True, frozen=True):
    """How many rows there were."""

    rows: int


class Evidence(msgspec.Struct, frozen=True):
    """A whole export. `anchor`: the head that its signed line names."""

    head: HeadLine
    chained: Sequence[RowLine]
    pending: int
    anchor: Head | None


class NotProven(Exception):
    """The export, or the record, is not what the other says; the message names the line or position."""


def read_export(written: Iterable[bytes], prove: Callable[[bytes], Head]) -> Evidence:
    """The lines, each proven by itself; `prove` gives the head of a signed anchor line. Raises NotProven."""
    lines = [_read(number, raw) for number, raw in enumerate(written, start=1)]
    if not lines or not isinstance(lines[0], HeadLine) or not isinstance(lines[-1], EndLine):
        raise NotProven("it has no head or no end: it is not whole")
    head, rows = lines[0], [line for line in lines[1:-1] if isinstance(line, RowLine)]
    if len(rows) != len(lines) - 2 or len(rows) != lines[-1].rows:
        raise NotProven(f"it says that it has {lines[-1].rows} rows, and has {len(rows)}")
    subjects = {str(each) for each in head.subjects}
    for number, row in enumerate(rows, start=2):
        _check_row(number, row, subjects)
    try:
        anchor = prove(base64.b64decode(head.anchor)) if head.anchor else None
    except AnchorBroken as broken:
        raise NotProven(str(broken)) from None
    chained = [row for row in rows if row.position is not None]
    return Evidence(head, chained, len(rows) - len(chained), anchor)


async def check_export(connection: Connection, evidence: Evidence) -> None:
    """Against the record, as it stands now. Raises NotProven."""
    head = evidence.head
    said = {row.position: row.digest for row in evidence.chained} | {head.position: head.digest}
    if evidence.anchor is not None:
        said[evidence.anchor.position] = evidence.anchor.digest.hex()
    said.pop(0, None)
    stands = {row["position"]: row["digest"].hex() for row in await connection.fetch(_LINKS, list(said))}
    for position, digest in sorted(said.items(), key=lambda each: each[0] or 0):
        if stands.get(position or 0) != digest:
            raise NotProven(f"position {position} of the chain is not what the export says")
    there = [row["position"] for row in await connection.fetch(_POSITIONS, head.subjects, head.position)]
    if missing := sorted(set(there) - {row.position for row in evidence.chained}):
        raise NotProven(f"position {missing[0]} is about this person, and the export has no line for it")


def _read(number: int, raw: bytes) -> HeadLine | RowLine | EndLine:
    try:
        return msgspec.json.decode(raw, type=HeadLine | RowLine | EndLine)
    except msgspec.DecodeError:
        raise NotProven(f"line {number} is none of an export") from None


def _check_row(number: int, row: RowLine, subjects: set[str]) -> None:
    if len(row.exact) <= _SUBJECT or row.exact[_SUBJECT] not in subjects:
        raise NotProven(f"line {number} is about somebody else")
    if row.position is None:
        return
    try:
        digest = next_digest(bytes.fromhex(row.before), row.position, row.exact)
    except ValueError:
        raise NotProven(f"line {number} has no digest") from None
    if digest.hex() != row.digest:
        raise NotProven(f"line {number} was changed: its row does not give its digest")

"""Attachments: proven by their content, stored encrypted, read by their owner only."""

import hashlib
import io
import re
import unicodedata
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import UUID

from PIL import Image, UnidentifiedImageError

from app.cases.schemas import AttachmentView
from app.database import Connection
from app.errors import TooLarge, Unprocessable, UnsupportedMediaType
from app.ids import uuid7
from app.privacy import Vault

MAX_BYTES = 10 * 1024 * 1024
MEDIA_TYPES = ("application/pdf", "image/jpeg", "image/png")
MAX_PIXELS = 50_000_000
MOST_LOOSE = 100

_NAME_CONTEXT = "attachments.name"
_COLUMNS = "id, name_enc, media_type, size, sha256, created_at, case_id"
_INSERT = f"""
INSERT INTO attachments (id, citizen_id, name_enc, media_type, size, sha256)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM attachments WHERE citizen_id = $2 AND case_id IS NULL) < {MOST_LOOSE}
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of ours
_OWN = f"SELECT {_COLUMNS} FROM attachments WHERE id = $1 AND citizen_id = $2"  # noqa: S608 - constants of ours
_OF_CASE = f"SELECT {_COLUMNS} FROM attachments WHERE case_id = $1 ORDER BY id"  # noqa: S608 - constants of ours
_PDF_END = re.compile(rb"%%EOF\s*\x00*\s*$")
_PDF_DANGERS = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFile)|/JS\s*(?:[(<]|\d+\s+\d+\s+R)")
_PDF_HEX_IN_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
# `/ObjStm`, any letter of it in hex, and where the streams themselves begin, as lenient readers find them.
_PDF_OBJECT_STREAM = re.compile(rb"/(?:O|#4[Ff])(?:b|#62)(?:j|#6[Aa])(?:S|#53)(?:t|#74)(?:m|#6[Dd])")
_PDF_STREAM = re.compile(rb"(?<![A-Za-z])stream[ \t]*(?:\r\n|\r|\n)")
_MOST_OBJECT_STREAMS = 10_000
# Read and made of all object streams together: one that begins within another is read twice.
_MOST_INFLATING_BYTES = 40 * 1024 * 1024
_INFLATED_AT_ONCE = 4096
_ZLIB_HEAD_BYTES = 2
_PNG_END = b"IEND\xaeB`\x82"


def prove(content: bytes) -> str:
    """The media type that the content itself proves. Raises TooLarge, Unprocessable, or UnsupportedMediaType."""
    if len(content) > MAX_BYTES:
        raise TooLarge("attachment_too_large", params={"max_mb": MAX_BYTES // (1024 * 1024)})
    if not content:
        raise Unprocessable("attachment_empty")
    if content.startswith((b"%PDF-1.", b"%PDF-2.")):
        return _prove_pdf(content)
    if content.startswith(b"\xff\xd8\xff"):
        return _prove_image(content, "JPEG", "image/jpeg")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _prove_image(content, "PNG", "image/png")
    raise _unsupported()


def safe_name(name: str) -> str:
    """A file name that is only a name: no path, no control characters, at most 120 characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = "".join(char for char in last if char.isprintable() and char not in '<>:"|?*').strip(". ")
    return cleaned[-120:] or "file"


def describe(content: bytes, name: str, citizen_id: UUID, vault: Vault) -> tuple[Any, ...]:
    """The values of a new attachment's row. Runs in a thread: proving takes up to a second."""
    media_type = prove(content)
    sealed = vault.encrypt(safe_name(name).encode(), _NAME_CONTEXT)
    return uuid7(), citizen_id, sealed, media_type, len(content), hashlib.sha256(content).digest()


async def insert(connection: Connection, values: Sequence[Any]) -> Mapping[str, Any]:
    """Store the row. Raises Unprocessable where the citizen keeps too many files that no case uses."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_INSERT, *values)
    if row is None:
        raise Unprocessable("attachments_too_many", params={"limit": MOST_LOOSE})
    return row


async def own(connection: Connection, attachment_id: UUID, citizen_id: UUID) -> Mapping[str, Any] | None:
    row: Mapping[str, Any] | None = await connection.fetchrow(_OWN, attachment_id, citizen_id)
    return row


async def of_case(connection: Connection, case_id: UUID) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_OF_CASE, case_id)
    return rows


def view(row: Mapping[str, Any], vault: Vault) -> AttachmentView:
    """One row for its owner."""
    return AttachmentView(
        row["id"],
        name_of(row, vault),
        row["media_type"],
        row["size"],
        row["sha256"].hex(),
        row["created_at"],
        row["case_id"],
    )


def name_of(row: Mapping[str, Any], vault: Vault) -> str:
    return vault.decrypt(row["name_enc"], _NAME_CONTEXT).decode()


def _prove_pdf(content: bytes) -> str:
    """A PDF that ends as one, and runs nothing: scripts, launched programs and hidden files are refused."""
    if not _PDF_END.search(content[-1024:]) or b"startxref" not in content[-2048:]:
        raise _unsupported()
    for part in chain([content], _object_streams(content)):
        spelled_out = _PDF_HEX_IN_NAME.sub(lambda found: bytes.fromhex(found[1].decode()), part)
        if _PDF_DANGERS.search(spelled_out):
            raise Unprocessable("attachment_unsafe")
    return "application/pdf"


def _object_streams(content: bytes) -> Iterator[bytes | bytearray]:
    """What a PDF keeps in compressed object streams: everything but pictures and pages, in most of today's."""
    streams = [found.end() for found in _PDF_STREAM.finditer(content)]
    following = (bisect_left(streams, found.end()) for found in _PDF_OBJECT_STREAM.finditer(content))
    begins = sorted({streams[at] for at in following if at < len(streams)})
    if len(begins) > _MOST_OBJECT_STREAMS:
        raise Unprocessable("attachment_unsafe")
    room = _MOST_INFLATING_BYTES
    for begin in begins:
        inflated = bytearray()
        for read, made in _inflated(memoryview(content)[begin + _ZLIB_HEAD_BYTES :]):
            inflated += made
            room -= read + len(made)
            if room <= 0:
                raise Unprocessable("attachment_unsafe")
        yield inflated


def _inflated(packed: memoryview) -> Iterator[tuple[int, bytes]]:
    """Piece by piece, how much was read and what it makes, to the first fault: readers of PDF mind no checksum, and
    take what came before it."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for begin in range(0, len(packed), _INFLATED_AT_ONCE):
        piece, before = packed[begin : begin + _INFLATED_AT_ONCE], unpacker.copy()
        try:
            made = unpacker.decompress(piece)
            yield len(piece) - len(unpacker.unused_data), made
        except zlib.error:
            with suppress(zlib.error):
                for at in range(len(piece)):
                    yield 1, before.decompress(piece[at : at + 1])
            return
        if unpacker.eof:
            return


def _prove_image(content: bytes, kind: str, media_type: str) -> str:
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_many_pixels()
            if kind == "PNG":
                image.verify()
            else:
                # Only decoding shows that a JPEG is whole; an eighth of its size costs a 64th of the memory.
                image.draft("L", (1, 1))
                image.load()
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise _unsupported() from None
    if kind == "PNG" and not content.endswith(_PNG_END):
        raise _unsupported()
    return media_type


def _too_many_pixels() -> TooLarge:
    return TooLarge("attachment_too_many_pixels", params={"max_megapixels": MAX_PIXELS // 1_000_000})


def _unsupported() -> UnsupportedMediaType:
    return UnsupportedMediaType("attachment_type_unsupported")

"""Attachments: proven by their content, stored encrypted, read by their owner only."""

import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from PIL import Image, UnidentifiedImageError

from app.cases.schemas import AttachmentView
from app.database import Connection
from app.errors import LoketError, TooLarge, Unprocessable
from app.ids import uuid7
from app.privacy import Vault

MAX_BYTES = 10 * 1024 * 1024
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
_OWN = f"SELECT {_COLUMNS} FROM attachments WHERE id = $1 AND citizen_id = $2"  # noqa: S608
_OF_CASE = f"SELECT {_COLUMNS} FROM attachments WHERE case_id = $1 ORDER BY id"  # noqa: S608
_PDF_END = re.compile(rb"%%EOF\s*\x00*\s*$")
_PDF_DANGERS = (b"/JavaScript", b"/JS ", b"/JS(", b"/JS<", b"/Launch", b"/EmbeddedFile")


def prove(content: bytes) -> str:
    """The media type that the content itself proves. Raises TooLarge, or LoketError 415 for anything else."""
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
    """The values of a new attachment's row. Runs in a thread: proving an image decodes its header."""
    media_type = prove(content)
    sealed = vault.encrypt(safe_name(name).encode(), _NAME_CONTEXT)
    return uuid7(), citizen_id, sealed, media_type, len(content), hashlib.sha256(content).digest()


async def insert(connection: Connection, values: Sequence[Any]) -> Mapping[str, Any]:
    """Store the row. Raises LoketError where the citizen keeps too many files that no case uses."""
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
    if any(danger in content for danger in _PDF_DANGERS):
        raise Unprocessable("attachment_unsafe")
    return "application/pdf"


def _prove_image(content: bytes, kind: str, media_type: str) -> str:
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TooLarge("attachment_too_many_pixels", params={"max_megapixels": MAX_PIXELS // 1_000_000})
            image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _unsupported() from None
    return media_type


def _unsupported() -> LoketError:
    error = LoketError("attachment_type_unsupported")
    error.status = 415
    return error

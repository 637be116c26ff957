"""Keyset cursors: where the next page of a list begins, as opaque text safe in a URL. Not secret, not signed."""

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from app.errors import BadRequest

MAX_LENGTH = 512

T = TypeVar("T")


def encode_cursor(values: tuple[Any, ...] | msgspec.Struct) -> str:
    """The last row's sort values, as the text a client sends back: a tuple, or a Struct with array_like."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def decode_cursor(text: str, kind: type[T]) -> T:
    """The values again, as `kind` says: `tuple[str, UUID]`. Raises BadRequest where we cannot have written it.

    Bound the numbers in `kind` to what their column holds: a client may send any.
    """
    if not text or len(text) > MAX_LENGTH or not text.isascii():
        raise BadRequest("cursor_invalid")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        # NUL is the one character that JSON allows and PostgreSQL's text does not.
        if rb"\u0000" in raw:
            raise BadRequest("cursor_invalid")
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("cursor_invalid") from None

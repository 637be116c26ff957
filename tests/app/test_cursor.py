"""Cursors: what is given back is what was sent, and anything else is refused."""

import base64
from uuid import UUID, uuid4

import pytest

from app.cursor import MAX_LENGTH, decode_cursor, encode_cursor
from app.errors import BadRequest


def test_round_trip() -> None:
    values = ("Akta Kelahiran", uuid4())
    text = encode_cursor(values)
    assert text.isascii()
    assert not set(text) & set("+/=&?# ")
    assert decode_cursor(text, tuple[str, UUID]) == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!!",
        "é",
        "bnVsbA",
        "W10",
        "Wzcs",
        encode_cursor((1, "x")),
        encode_cursor(("only one",)),
        encode_cursor(("a\x00b", UUID(int=1))),
        base64.urlsafe_b64encode(b'["\xff", "1"]').decode(),
        base64.urlsafe_b64encode(b"[" * 300).decode(),
        "A" * (MAX_LENGTH + 1),
    ],
)
def test_what_we_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_cursor(text, tuple[str, UUID])
    assert refused.value.code == "cursor_invalid"

"""Signing and sealing against what node's own crypto and the original lz-string made."""

import base64
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from integrations.bpjs_vclaim.sealing import Account, Unreadable, seal, sealing_key, signed_headers, unseal


class Made(msgspec.Struct, frozen=True):
    """One request's signature and the seal of its answer."""

    cons_id: str
    secret_key: str
    user_key: str
    timestamp: str
    signature: str
    content: str
    sealed: str

    @property
    def account(self) -> Account:
        return Account(self.cons_id, self.secret_key, self.user_key)

    @property
    def key(self) -> bytes:
        return sealing_key(self.account, self.timestamp)


MADE_ELSEWHERE = msgspec.json.decode(Path(__file__).with_name("sealed.json").read_bytes(), type=list[Made])
FIRST = MADE_ELSEWHERE[0]


@pytest.mark.parametrize("made", MADE_ELSEWHERE, ids=lambda made: made.cons_id)
def test_signs_and_opens_as_others_do(made: Made) -> None:
    assert signed_headers(made.account, made.timestamp) == {
        "X-cons-id": made.cons_id,
        "X-timestamp": made.timestamp,
        "X-signature": made.signature,
        "user_key": made.user_key,
    }
    assert unseal(made.sealed, made.key, 10_000) == made.content
    assert seal(made.content, made.key) == made.sealed


def test_one_second_later_is_another_key() -> None:
    later = sealing_key(FIRST.account, str(int(FIRST.timestamp) + 1))
    with pytest.raises(Unreadable):
        unseal(FIRST.sealed, later, 10_000)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "=",
        "not base64!",
        "é",
        FIRST.sealed[:-4],
        FIRST.sealed[4:],
        FIRST.sealed + "AAAA",
        "\n" + FIRST.sealed,
        base64.b64encode(bytes(16)).decode(),
        base64.b64encode(bytes(15)).decode(),
        "A" * 20_000,
    ],
)
def test_anything_else_cannot_be_opened(sealed: str) -> None:
    with pytest.raises(Unreadable):
        unseal(sealed, FIRST.key, 10_000)


def test_every_changed_byte_is_told_or_harmless() -> None:
    """CBC tells no changes (TLS does): whatever opens must be bounded all the same, and nothing else raised."""
    raw = base64.b64decode(FIRST.sealed)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 0x41]) + raw[place + 1 :]
        with suppress(Unreadable):
            assert len(unseal(base64.b64encode(changed).decode(), FIRST.key, 500)) <= 500


def test_opens_no_more_than_it_may() -> None:
    with pytest.raises(Unreadable, match="more than"):
        unseal(FIRST.sealed, FIRST.key, len(FIRST.content) - 1)

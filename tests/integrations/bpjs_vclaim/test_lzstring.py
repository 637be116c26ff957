"""Packing and unpacking against what the JavaScript original made, and against whoever wants our memory."""

import tracemalloc
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.bpjs_vclaim.lzstring import NotPacked, pack, unpack
from tests.integrations.bpjs_vclaim.bombs import packed_bomb

# Texts and what npm's lz-string 1.5.0 makes of them, compressToEncodedURIComponent.
MADE_BY_THE_ORIGINAL = msgspec.json.decode(
    Path(__file__).with_name("lzstring.json").read_bytes(), type=list[tuple[str, str]]
)
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(("text", "packed"), MADE_BY_THE_ORIGINAL)
def test_is_the_originals_own(text: str, packed: str) -> None:
    assert unpack(packed, 10_000) == text
    assert pack(text) == packed


def test_the_empty_text() -> None:
    assert pack("") == "Q"  # as the original does
    assert unpack("Q", 0) == ""


@given(st.text(st.characters(codec="utf-8"), max_size=300))
@settings(max_examples=300)
def test_what_is_packed_comes_out(text: str) -> None:
    assert unpack(pack(text), 1_000) == text


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-", max_size=2_000))
@settings(max_examples=500)
def test_anything_else_is_refused_or_short(packed: str) -> None:
    with suppress(NotPacked):
        assert len(unpack(packed, 1_000)) <= 1_000


@pytest.mark.parametrize("packed", ["", "$", "=", "IY", "____", "é", "\0", "Iy g", "\U0001f3e5", "D", "z" * 50])
def test_what_was_never_packed_is_refused(packed: str) -> None:
    with pytest.raises(NotPacked):
        unpack(packed, 1_000)


def test_every_cut_is_refused() -> None:
    packed = pack('{"peserta":{"nama":"SITI AMINAH","noKartu":"0002357190010"}}')
    for length in range(len(packed) - 1):
        with pytest.raises(NotPacked):
            unpack(packed[:length], 1_000)


def test_the_cap_is_exact() -> None:
    assert unpack(pack("x" * 1_000), 1_000) == "x" * 1_000
    with pytest.raises(NotPacked, match="more than 999"):
        unpack(pack("x" * 1_000), 999)


@pytest.mark.parametrize("unpacked_mb", [0.3, 1, 3, 10, 30, 100, 300])
def test_a_bomb_is_stopped_at_the_cap(unpacked_mb: float) -> None:
    bomb = packed_bomb(int(unpacked_mb * MEGABYTE))
    tracemalloc.start()
    try:
        with pytest.raises(NotPacked, match="more than"):
            unpack(bomb, 32 * 1024)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTE + 20 * len(bomb), f"{peak} bytes were held for a bomb of {len(bomb)}"


def test_the_bombs_are_bombs() -> None:
    assert unpack(packed_bomb(300_000), 400_000) == "x" * len(unpack(packed_bomb(300_000), 400_000))
    assert len(unpack(packed_bomb(300_000), 400_000)) >= 300_000
    assert len(packed_bomb(300 * MEGABYTE)) < 70_000

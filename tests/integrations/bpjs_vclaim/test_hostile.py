"""A register that answers to harm: each payload ends in AgencyUnavailable, soon, and with little memory held."""

import time
import tracemalloc
from collections.abc import Callable

import msgspec
import pytest
from aiohttp import web

from app.errors import AgencyUnavailable
from integrations.bpjs_vclaim.client import MOST_CHARACTERS
from integrations.bpjs_vclaim.sandbox import ACCOUNT
from integrations.bpjs_vclaim.sealing import seal, sealing_key
from tests.integrations.bpjs_vclaim.bombs import packed_bomb, sealed_packed
from tests.integrations.bpjs_vclaim.conftest import SITI, TODAY, Answering

MEGABYTE = 1024 * 1024
MOST_HELD_BYTES = 4 * MEGABYTE  # the answering server, which holds each payload too, is in it
MOST_TIME_S = 2.5

OK = b'{"metaData":{"code":"200","message":"OK"},"response":'
Make = Callable[[bytes], bytes]


def holding(content: str) -> Make:
    """A well-sealed answer with this inside."""
    return lambda key: OK + msgspec.json.encode(seal(content, key)) + b"}"


def bomb(megabytes: float) -> Make:
    return lambda key: OK + msgspec.json.encode(sealed_packed(packed_bomb(int(megabytes * MEGABYTE)), key)) + b"}"


PAYLOADS: dict[str, Make] = {
    **{f"a bomb of {megabytes} MB": bomb(megabytes) for megabytes in (0.3, 1, 3, 10, 30, 100, 300)},
    "more than the cap, honestly packed": holding('{"peserta":{"nama":"' + "a" * MOST_CHARACTERS + '"}}'),
    "more than the cap, hardly packable": holding("".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(6_000))),
    "an answer of 1 MB": lambda _: OK + b'"' + b"A" * MEGABYTE + b'"}',
    "brackets, nested deep": lambda _: b"[" * 30_000,
    "brackets, nested deep, sealed": holding("[" * 30_000),
    "objects, nested deep, sealed": holding('{"a":' * 6_000),
    "as many openings as fit": lambda _: b"{x" * 15_000,
    "nothing": lambda _: b"",
    "half a JSON text": lambda _: OK,
    "HTML": lambda _: b"<html><body>Maintenance</body></html>",
    "no UTF-8": lambda _: b"\xff\xfe" * 1_000,
    "a list": lambda _: b"[]",
    "a number": lambda _: b"1",
    "an envelope of another kind": lambda _: b'{"metaData":"200","response":{}}',
    "a code that is no number": lambda _: b'{"metaData":{"code":"OK"},"response":{"peserta":null}}',
    "a code as long as a book": lambda _: b'{"metaData":{"code":"' + b"9" * 20_000 + b'"},"response":{"peserta":null}}',
    "no response": lambda _: b'{"metaData":{"code":"200"}}',
    "a null response": lambda _: OK + b"null}",
    "a response that is a number": lambda _: OK + b"7}",
    "a response that is a list": lambda _: OK + b"[]}",
    "a plain response of another shape": lambda _: OK + b'{"nama":"SITI"}}',
    "a participant that is a text": lambda _: OK + b'{"peserta":"SITI"}}',
    "a participant that is a list": lambda _: OK + b'{"peserta":[]}}',
    "an empty participant": lambda _: OK + b'{"peserta":{}}}',
    "a participant without a name": lambda _: OK + b'{"peserta":{"noKartu":"0002357190010"}}}',
    "a participant whose name is an object": lambda _: OK + b'{"peserta":{"noKartu":"1","nama":{"a":1}}}}',
    "sealed nothing": holding(""),
    "sealed words": holding("Peserta"),
    "sealed list": holding("[]"),
    "sealed participant that is a number": holding('{"peserta":1}'),
    "base64 of no whole blocks": lambda _: OK + b'"QUJD"}',
    "blocks of zeros": lambda _: OK + b'"' + b"A" * 64 + b'"}',
    "an empty seal": lambda _: OK + b'""}',
    "sealed, and not packed": lambda key: OK + msgspec.json.encode(sealed_packed('{"peserta":null}', key)) + b"}",
    "sealed bits that end nowhere": lambda key: OK + msgspec.json.encode(sealed_packed("A" * 20_000, key)) + b"}",
}


@pytest.mark.parametrize("make", PAYLOADS.values(), ids=PAYLOADS)
async def test_is_unavailable_soon_and_small(answering: Answering, make: Make) -> None:
    def answer(request: web.Request) -> bytes:
        return make(sealing_key(ACCOUNT, request.headers["X-timestamp"]))

    port = await answering(answer)
    begun = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(AgencyUnavailable) as failed:
            await port.membership(SITI, TODAY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_HELD_BYTES, f"{peak} bytes were held"
    assert time.monotonic() - begun < MOST_TIME_S
    assert SITI not in str(failed.value)

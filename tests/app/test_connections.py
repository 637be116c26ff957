"""Citizens' connections: an answer is one packet, also where requests come in pieces or several at once."""

import asyncio
import socket
import sys
from urllib.parse import urlsplit

import pytest

from tests.harness.product import Api

# Where struct tcp_info (Linux) counts the segments with data that came in.
DATA_SEGMENTS_IN = slice(152, 156)
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD_ONLY = REQUEST.replace(b"GET", b"HEAD")
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [([REQUEST], 1), ([REQUEST[:9], REQUEST[9:]], 1), ([HEAD_ONLY], 1), ([REQUEST * 3], 3), ([LAST], 1)],
    ids=["whole", "in two pieces", "no body", "three at once", "the last"],
)
async def test_an_answer_is_one_packet(api: Api, pieces: list[bytes], answers: int) -> None:
    place = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        for _ in range(answers):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 ")
            if HEAD_ONLY not in pieces:
                await reader.readexactly(length_of(head))
        assert segments_in(writer) in (answers, None)
    finally:
        writer.close()


def segments_in(writer: asyncio.StreamWriter) -> int | None:
    """None where the kernel does not tell."""
    if sys.platform != "linux":
        return None
    told = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return int.from_bytes(told[DATA_SEGMENTS_IN], sys.byteorder)


def length_of(head: bytes) -> int:
    lines = (line.lower().partition(b":") for line in head.split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name == b"content-length")

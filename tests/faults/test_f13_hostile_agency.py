"""F13: an agency that answers with bombs, endless bodies, drips or redirects costs little memory and no other visit."""

import asyncio
import gzip
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import AgencyError
from app.manifest import OperationPolicy
from tests.harness.calling import READ, WRITE, Wish, calling_from
from tests.harness.listener import Behaviour, answering, listening

MOST_BYTES = 2 * 1024 * 1024
MOST_GROWTH_BYTES = 50 * 1024 * 1024
TIMES = 10
BOMB_BYTES = 400 * 1024 * 1024


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1024 * 1024)
    return b"".join([*(packer.compress(piece) for _ in range(BOMB_BYTES // len(piece))), packer.flush()])


BOMB = gzip_bomb()


async def a_gigabyte(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    await forever(writer, bytes(256 * 1024))


async def an_unnamed_gigabyte(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await forever(writer, b"40000\r\n" + bytes(256 * 1024) + b"\r\n")


async def endless_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await forever(writer, b"X-More: " + b"y" * 4000 + b"\r\n")


async def forever(writer: asyncio.StreamWriter, piece: bytes) -> None:
    for _ in range(4096):
        writer.write(piece)
        await writer.drain()
    raise ConnectionResetError


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    await drip(writer, b"{")


async def dripping_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-More: ")
    await drip(writer, b"y")


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)


def packed(name: str, body: bytes = BOMB) -> Behaviour:
    return answering(body=body, headers=f"Content-Encoding: {name}\r\n")


@contextmanager
def growing_little() -> Iterator[None]:
    """The most memory that was ever taken meanwhile, also what was given back at once."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # The peak begins anew.
    before = status_bytes("VmRSS")
    yield
    assert status_bytes("VmHWM") - before < MOST_GROWTH_BYTES


def status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@pytest.mark.parametrize(
    "behave",
    [
        packed("gzip"),
        packed("x-gzip"),
        packed("GZip"),
        packed("deflate", zlib.compress(bytes(BOMB_BYTES // 4), 9)),
        packed("gzip", gzip.compress(b"{}") * 100_000),
        packed("gzip, gzip", gzip.compress(BOMB)),
        packed("br"),
        a_gigabyte,
        an_unnamed_gigabyte,
        endless_headers,
    ],
    ids=["gzip", "x-gzip", "GZip", "deflate", "members", "twice", "unasked", "named", "unnamed", "headers"],
)
async def test_no_bomb_takes_memory(behave: Behaviour) -> None:
    async with listening(behave) as server, calling_from(f"http://127.0.0.1:{server.port}") as caller:
        with growing_little():
            for call in [READ, WRITE] * (TIMES // 2):
                # The breaker would keep us from asking a fifth time, and the bomb is what is asked for here.
                caller.client._breakers.clear()
                with pytest.raises(AgencyError):
                    await caller.client.call(call)


def test_memory_that_is_given_back_at_once_is_seen() -> None:
    """Else a bomb that was unpacked whole and thrown away would count as nothing."""
    with pytest.raises(AssertionError), growing_little():
        assert len(b"x" * (2 * MOST_GROWTH_BYTES))


async def test_what_unpacks_to_a_multiple_is_refused_before_its_size_is() -> None:
    """A hundred times what came, and far below the size allowed."""
    body = gzip.compress(bytes(500_000), 9)
    assert 500_000 / len(body) > 500
    wish = Wish(operations={"read": OperationPolicy(safe=True, max_ratio=100)})
    async with (
        listening(packed("gzip", body)) as server,
        calling_from(f"http://127.0.0.1:{server.port}", wish=wish) as caller,
    ):
        with pytest.raises(AgencyError, match="100 times"):
            await caller.client.call(READ)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
async def test_an_honest_packed_answer_is_read(name: str) -> None:
    plain = b"".join(b'{"n": %d},' % number for number in range(20_000))
    body = gzip.compress(plain) if name == "gzip" else zlib.compress(plain)
    async with listening(packed(name, body)) as server, calling_from(f"http://127.0.0.1:{server.port}") as caller:
        assert (await caller.client.call(READ)).body == plain


@pytest.mark.parametrize("cut", [-1, -9, 20])
async def test_a_packed_answer_that_is_cut_off_is_no_answer(cut: int) -> None:
    body = gzip.compress(b"0123456789" * 100)[:cut]
    async with listening(packed("gzip", body)) as server, calling_from(f"http://127.0.0.1:{server.port}") as caller:
        with pytest.raises(AgencyError):
            await caller.client.call(READ)


@pytest.mark.parametrize("behave", [dripping, dripping_head], ids=["body", "head"])
async def test_a_drip_ends_with_the_budget(behave: Behaviour) -> None:
    wish = Wish(operations={"read": OperationPolicy(safe=True, budget_s=0.5)})
    async with listening(behave) as server, calling_from(f"http://127.0.0.1:{server.port}", wish=wish) as caller:
        started = time.monotonic()
        with pytest.raises(AgencyError, match="no whole answer"):
            await caller.client.call(READ)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with listening(answering()) as inside:
        leading = answering(f"{status} Moved", headers=f"Location: http://127.0.0.1:{inside.port}/secret\r\n")
        async with listening(leading) as server, calling_from(f"http://127.0.0.1:{server.port}") as caller:
            for call in (READ, WRITE):
                assert (await caller.client.call(call)).status == status
        assert inside.connections == 0

"""The bad network itself: a fault it does not make would show nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.harness.fault_proxy import FaultProxy, fault_proxy

PATIENCE_S = 10
A_MOMENT_S = 0.3

Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A server that says back what it hears, and leaves at "bye"."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(100):
            writer.write(heard)
            if heard == b"bye":
                break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with fault_proxy(echo) as running:
        yield running


@pytest.fixture
async def talk(proxy: FaultProxy) -> Talk:
    """A connection through it that works."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"first")
    assert await heard(reader) == b"first"
    return reader, writer


async def heard(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await reader.read(100)


async def test_a_cut_ends_what_is_open_and_what_comes(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("cut")
    assert await heard(talk[0]) == b""
    late, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await heard(late) == b""


async def test_a_reset_says_no_farewell(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("reset")
    with pytest.raises(ConnectionResetError):
        await heard(talk[0])


async def test_a_black_hole_stands_and_answers_nothing(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("black_hole")
    talk[1].write(b"anybody?")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(A_MOMENT_S):
            await talk[0].read(100)
    proxy.heal()
    # Healed, it does not make up for what it swallowed.
    assert await heard(talk[0]) == b""


async def test_latency_is_added_each_way(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("pass", latency_s=0.1)
    begun = time.monotonic()
    talk[1].write(b"slowly")
    assert await heard(talk[0]) == b"slowly"
    assert time.monotonic() - begun >= 0.2


async def test_a_slow_close_leaves_a_connection_half_open(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("slow_close")
    talk[1].write(b"bye")
    assert await heard(talk[0]) == b"bye"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(A_MOMENT_S):
            await talk[0].read(100)
    proxy.heal()
    assert await heard(talk[0]) == b""


async def test_healed_it_is_a_good_network_again(proxy: FaultProxy, talk: Talk) -> None:
    proxy.set("reset")
    proxy.heal()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"again")
    assert await heard(reader) == b"again"

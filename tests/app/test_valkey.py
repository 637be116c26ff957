"""Valkey that is far away: slower to connect to than a call may take, and used all the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from app.valkey import BUDGET_S, Valkey, ValkeyDown

AWAY_S = 0.03  # there and back; a connection takes more than two of these
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def far_away(connect: Connect) -> AsyncIterator[int]:
    """A relay to a server that takes AWAY_S there and back; its port."""

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                await asyncio.sleep(AWAY_S / 2)
                target.write(data)
        target.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await connect()
        await asyncio.gather(carry(reader, server_writer), carry(server_reader, writer))

    listener = await asyncio.start_server(relay, "127.0.0.1", 0)
    yield int(listener.sockets[0].getsockname()[1])
    listener.close()


def connect_to(url: str) -> Connect:
    if url.startswith("unix://"):
        return lambda: asyncio.open_unix_connection(url.removeprefix("unix://").split("?", maxsplit=1)[0])
    host, port = url.rsplit("@", maxsplit=1)[-1].split("/", maxsplit=1)[0].split(":")
    return lambda: asyncio.open_connection(host, int(port))


async def answers(valkey: Valkey) -> bool:
    try:
        await valkey.ping()
    except ValkeyDown:
        return False
    return True


async def test_a_connection_may_take_longer_than_a_call(valkey_url: str) -> None:
    async with far_away(connect_to(valkey_url)) as port:
        secret = valkey_url[: valkey_url.rindex("@") + 1] if "@" in valkey_url else "redis://"
        valkey = Valkey(f"{secret}127.0.0.1:{port}/0")
        assert not await answers(valkey), f"it connects within {BUDGET_S} s, and this test shows nothing"
        for _ in range(100):
            if await answers(valkey):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("no call ever got a connection")
        await valkey.close()

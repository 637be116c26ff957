"""Connections that send a byte now and then, from a process of their own: what they cost whoever measures others would
else be taken for what they cost the server. `python -m tests.harness.slow_senders PORT COUNT` with a token on stdin."""

import asyncio
import sys
import time

import msgspec
import uvloop

HEAD = b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"


async def main(port: int, count: int, token: bytes) -> list[float]:
    """A third says nothing at all, a third drips its head, a third its body. How long each was let stand."""
    ways = [(b"", b""), (HEAD, b"X"), (BODY % token, b" ")]
    return await asyncio.gather(*(_drip(port, *ways[number % 3]) for number in range(count)))


async def _drip(port: int, first: bytes, then: bytes) -> float:
    """Send a beginning, then a byte a second, until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    writer.write(first)
    told = asyncio.create_task(reader.read())
    while not told.done():
        writer.write(then)
        await asyncio.wait([told], timeout=1)
    closed_s = time.monotonic() - begun
    writer.transport.abort()
    await asyncio.gather(told, return_exceptions=True)
    return closed_s


if __name__ == "__main__":
    closed = uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer.readline().strip()))
    sys.stdout.buffer.write(msgspec.json.encode(closed))

"""Clients who ask again at once when served, and when they are told when refused; from a process of their own.
`python -m tests.harness.herd URL CLIENTS SECONDS` with tokens on stdin, one a line."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence

import aiohttp
import msgspec
import uvloop


class Herd(msgspec.Struct):
    """What became of it: answers by status, and how long the slowest refusal took."""

    statuses: dict[int, int]
    slowest_refusal_s: float

    @property
    def served(self) -> int:
        return self.statuses.get(200, 0)


async def ask(url: str, clients: int, seconds: float, tokens: Sequence[str]) -> Herd:
    herd, statuses = Herd({}, 0.0), Counter[int]()
    until = time.monotonic() + seconds

    async def one(session: aiohttp.ClientSession, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        while time.monotonic() < until:
            begun = time.monotonic()
            async with session.get("/v1/cases", headers=headers) as answer:
                await answer.read()
            statuses[answer.status] += 1
            if answer.status != 200:
                herd.slowest_refusal_s = max(herd.slowest_refusal_s, time.monotonic() - begun)
                await asyncio.sleep(min(float(answer.headers["Retry-After"]), max(0.0, until - time.monotonic())))

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session, asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(session, tokens[number % len(tokens)]))
    herd.statuses = dict(statuses)
    return herd


if __name__ == "__main__":
    lines = sys.stdin.buffer.read().decode().split()
    met = uvloop.run(ask(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), lines))
    sys.stdout.buffer.write(msgspec.json.encode(met))

"""Clients who ask again at once when served, and when they are told when refused; from a process of their own.
`python -m tests.harness.herd URL CLIENTS SECONDS SERVER_PID` with tokens on stdin, one a line."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
import msgspec
import psutil
import uvloop

# On whatever machine.
ARRIVAL_S = 60.0


class Herd(msgspec.Struct):
    """What became of it: answers by status, and how long the slowest refusal took. `later`: how many were served once
    all had arrived, and `later_s` how long the server worked meanwhile, of a processor's time."""

    statuses: dict[int, int]
    slowest_refusal_s: float
    later: int = 0
    later_s: float = 0.0


async def ask(url: str, clients: int, seconds: float, tokens: Sequence[str], server: psutil.Process) -> Herd:
    """For `seconds` from when each of them had an answer: how a server takes a herd's arrival is another question."""
    herd, statuses = Herd({}, 0.0), Counter[int]()
    arrived, over = asyncio.Event(), asyncio.Event()
    # Who has had no answer yet.
    coming = clients

    async def one(session: aiohttp.ClientSession, token: str) -> None:
        nonlocal coming
        headers, is_new = {"Authorization": f"Bearer {token}"}, True
        while not over.is_set():
            begun = time.monotonic()
            async with session.get("/v1/cases", headers=headers) as answer:
                await answer.read()
            statuses[answer.status] += 1
            coming, is_new = coming - is_new, False
            if coming == 0:
                arrived.set()
            if answer.status != 200:
                herd.slowest_refusal_s = max(herd.slowest_refusal_s, time.monotonic() - begun)
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), float(answer.headers["Retry-After"]))

    async def look() -> None:
        try:
            await asyncio.wait_for(arrived.wait(), ARRIVAL_S)
            before, before_s = statuses[200], worked_s(server)
            await asyncio.sleep(seconds)
            herd.later, herd.later_s = statuses[200] - before, worked_s(server) - before_s
        finally:
            over.set()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session, asyncio.TaskGroup() as group:
        group.create_task(look())
        for number in range(clients):
            group.create_task(one(session, tokens[number % len(tokens)]))
    herd.statuses = dict(statuses)
    return herd


def worked_s(server: psutil.Process) -> float:
    spent = server.cpu_times()
    return float(spent.user + spent.system)


if __name__ == "__main__":
    lines = sys.stdin.buffer.read().decode().split()
    met = uvloop.run(ask(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), lines, psutil.Process(int(sys.argv[4]))))
    sys.stdout.buffer.write(msgspec.json.encode(met))

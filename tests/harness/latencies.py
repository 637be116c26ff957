"""What somebody feels who asks again and again while something befalls others."""

import asyncio
import statistics
import time
from collections.abc import Sequence

import httpx

# A pace that leaves the machine to others: back to back, the one who measures is a load of its own.
EVERY_S = 0.01


async def latencies_s(client: httpx.AsyncClient, path: str, seconds: float) -> list[float]:
    """How long each answer took. Raises AssertionError for one that is not 200."""
    taken: list[float] = []
    until = time.monotonic() + seconds
    while (begun := time.monotonic()) < until:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        taken.append(time.monotonic() - begun)
        await asyncio.sleep(max(0.0, EVERY_S - taken[-1]))
    return taken


def p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]

"""Waiting for a condition instead of for a guessed time."""

import asyncio
from collections.abc import Callable

from app.valkey import Valkey

PATIENT_S = 30.0


async def until(condition: Callable[[], bool], patience_s: float = PATIENT_S) -> None:
    """Return once `condition` holds. Raises TimeoutError where it never does."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 -- what is waited for happens in a socket or another process
            await asyncio.sleep(0.01)


async def start_hearing(valkey: Valkey, patience_s: float = PATIENT_S) -> None:
    """Start it, and return once its subscription stands: what is announced before that is heard by nobody."""
    heard = asyncio.Event()
    channel = f"loket.test.{id(heard)}"
    valkey.listen(channel, lambda _: heard.set())
    await valkey.start()
    async with asyncio.timeout(patience_s):
        while not heard.is_set():
            await valkey.publish(channel, b"?")
            await asyncio.sleep(0.01)

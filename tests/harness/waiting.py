"""Waiting for a condition instead of for a guessed time."""

import asyncio
from collections.abc import Callable

PATIENT_S = 30.0


async def until(condition: Callable[[], bool], patience_s: float = PATIENT_S) -> None:
    """Return once `condition` holds. Raises TimeoutError where it never does."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 -- what is waited for happens in a socket or another process
            await asyncio.sleep(0.01)

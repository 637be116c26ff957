"""Ending the tasks that a process keeps running beside its requests and jobs."""

import asyncio
from typing import Any

_AGAIN_S = 0.5


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel until all have ended. Once is not enough: a database that leaves at that moment raises its own error over
    a cancellation, Python 3.11's `asyncio.wait_for` loses one that comes with its answer, and a task that lives through
    such errors lives through that too."""
    running = [task for task in tasks if task is not None]
    while alive := [task for task in running if not task.done()]:
        for task in alive:
            task.cancel()
        await asyncio.wait(alive, timeout=_AGAIN_S)
    await asyncio.gather(*running, return_exceptions=True)

"""What a worker does beside its jobs goes on, whatever ends one of it."""

import asyncio
import logging

import pytest

from app import worker
from app.worker import in_turn, lasting


async def test_what_ends_in_no_foreseen_way_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else nobody would give a sign of life, or link the audit, until somebody started the worker anew."""
    monkeypatch.setattr(worker, "AGAIN_S", 0.0)
    begun, again = [], asyncio.Event()

    async def beats() -> None:
        begun.append(1)
        if len(begun) == 1:
            raise ValueError("nobody foresaw it")
        again.set()
        await asyncio.sleep(3600)

    running = asyncio.create_task(lasting("beat", beats))
    async with asyncio.timeout(20):
        await again.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "beat ended in a way nobody foresaw" in caplog.text


async def test_one_that_fails_keeps_no_other_from_being_done(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    async def fails() -> None:
        raise KeyError("a bucket that is away")

    async def works() -> None:
        done.append(1)

    with caplog.at_level(logging.ERROR):
        await in_turn(fails, works, fails, works)
    assert len(done) == 2
    assert "could not be done now" in caplog.text

"""What a worker does beside its jobs goes on, whatever ends one of it."""

import asyncio
import logging

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app import worker
from app.assembly import build
from app.settings import read_settings
from app.worker import in_turn, lasting, worked


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


def test_a_database_that_was_there_is_waited_for_and_one_that_never_was_is_not(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that gives up on a PostgreSQL out for maintenance would have to be started by hand."""
    monkeypatch.setattr(worker, "AGAIN_S", 0.0)
    nowhere = make_url(environment["LOKET_DATABASE_URL"]).set(database="nothing_such")
    settings = read_settings({**environment, "LOKET_DATABASE_URL": nowhere.render_as_string(hide_password=False)})
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        worked(build(settings, "worker"), None, lost=False)
    assert not worked(build(settings, "worker"), None, lost=True)

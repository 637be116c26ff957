"""An ended session is refused by every process: at once over Valkey, and within seconds without it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest
from sqlalchemy import func, text, update

from app.database import Database
from app.login.models import Session
from app.login.revocations import CHANNEL, Revocations
from app.valkey import Valkey
from tests.app.login.journey import Journey, somebody

NOBODY_LISTENS = "redis://127.0.0.1:1/0"
BOUND_S = 5.0


@pytest.fixture
async def another_process(journey: Journey, valkey_url: str) -> AsyncIterator[Revocations]:
    """What a second process keeps: its own database pool and its own subscription."""
    async for revocations in _process(journey, valkey_url):
        yield revocations


@pytest.fixture
async def process_without_valkey(journey: Journey) -> AsyncIterator[Revocations]:
    async for revocations in _process(journey, NOBODY_LISTENS):
        yield revocations


async def _process(journey: Journey, valkey_url: str) -> AsyncIterator[Revocations]:
    database = Database(journey.api.settings.database_url, pool_size=2, name="test")
    valkey = Valkey(valkey_url)
    revocations = Revocations(database, valkey)
    await revocations.open()
    await valkey.start()
    yield revocations
    await revocations.close()
    await valkey.close()
    await database.close()


async def _within(seconds: float, holds: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "too late"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def _session_of(journey: Journey, refresh_token: str) -> UUID:
    async with journey.database.transaction() as session:
        found = await session.scalar(text("select id from sessions order by id desc limit 1"))
    assert isinstance(found, UUID)
    assert refresh_token
    return found


async def test_every_process_learns_over_valkey_and_without(
    journey: Journey, another_process: Revocations, process_without_valkey: Revocations
) -> None:
    tokens = await journey.register(somebody())
    session_id = await _session_of(journey, tokens["refresh_token"])
    await asyncio.sleep(0.3)  # both subscriptions stand
    async with journey.api.client(token=tokens["access_token"]) as client:
        assert (await client.post("/v1/login/logout")).status_code == 204
    assert await _within(BOUND_S, lambda: session_id in another_process) < 1.0, "that was not Valkey"
    await _within(BOUND_S, lambda: session_id in process_without_valkey)


async def test_api_learns_of_what_ended_elsewhere(journey: Journey) -> None:
    """Ended by another process that could not say so: the API finds it in the database."""
    tokens = await journey.register(somebody())
    assert (await journey.me(tokens["access_token"])).status_code == 200
    session_id = await _session_of(journey, tokens["refresh_token"])
    async with journey.database.transaction() as session:
        await session.execute(update(Session).where(Session.id == session_id).values(revoked_at=func.now()))
    ended = time.monotonic()
    while (await journey.me(tokens["access_token"])).status_code == 200:
        assert time.monotonic() - ended < BOUND_S
        await asyncio.sleep(0.1)


async def test_process_that_starts_later_knows_what_ended_before(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    session_id = await _session_of(journey, tokens["refresh_token"])
    async with journey.database.transaction() as session:
        await session.execute(
            update(Session).where(Session.id == session_id).values(revoked_at=text("now() - interval '9 minutes'"))
        )
    async for revocations in _process(journey, NOBODY_LISTENS):
        assert session_id in revocations


async def test_transaction_that_commits_late_is_not_missed(
    journey: Journey, process_without_valkey: Revocations
) -> None:
    """revoked_at is the transaction's beginning: looks that passed it before the commit must still find it."""
    tokens = await journey.register(somebody())
    session_id = await _session_of(journey, tokens["refresh_token"])
    async with journey.database.transaction() as session:
        await session.execute(update(Session).where(Session.id == session_id).values(revoked_at=func.now()))
        await asyncio.sleep(5)
        assert session_id not in process_without_valkey
    await _within(BOUND_S, lambda: session_id in process_without_valkey)


async def test_nonsense_on_the_channel_is_survived(
    journey: Journey, another_process: Revocations, valkey_url: str
) -> None:
    await asyncio.sleep(0.3)
    sender = Valkey(valkey_url)
    session_id = UUID(int=7)
    for message in (b"", b"x", b"y" * 15, session_id.bytes + b"tail"):
        await sender.publish(CHANNEL, message)
    await _within(BOUND_S, lambda: session_id in another_process)
    await sender.close()

"""What a failed statement says of itself may stand in a log: its words, and nothing that was given for its places."""

import traceback
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database import Database

SECRET = "Siti Rahasia 3571024505909001"


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, pool_size=1, name="test")
    yield opened
    await opened.close()


async def test_a_sessions_failure_does_not_tell_what_was_given(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1 / (length(:words) - length(:words))"), {"words": SECRET})
    told = "".join(traceback.format_exception(failed.value))
    assert "division by zero" in told
    assert SECRET not in told

"""The purge takes what nobody can use any more, and nothing else."""

from sqlalchemy import text

from app.login.jobs import purge
from tests.app.login.journey import Journey, somebody


async def _count(journey: Journey, table: str) -> int:
    async with journey.database.transaction() as session:
        return int(await session.scalar(text(f"select count(*) from {table}")) or 0)


async def test_takes_only_what_ended(journey: Journey) -> None:
    old, young = somebody(), somebody()
    old_tokens = await journey.register(old)
    async with journey.database.transaction() as session:
        for statement in (
            "update challenges set expires_at = now() - interval '2 days'",
            "update registrations set expires_at = now() - interval '2 days'",
            "update sessions set expires_at = now() - interval '2 days'",
        ):
            await session.execute(text(statement))
    young_tokens = await journey.register(young)
    async with journey.api.client() as client:
        successor = (await journey.refresh(client, young_tokens["refresh_token"])).json()
    async with journey.database.transaction() as session:
        await session.execute(text("update refresh_tokens set used_at = used_at - interval '61 s'"))
    assert await purge(journey.database) > 0
    for table, left in {"challenges": 1, "registrations": 1, "sessions": 1, "refresh_tokens": 2, "citizens": 2}.items():
        assert await _count(journey, table) == left, table
    assert await _count(journey, "refresh_tokens where successor_enc is not null") == 0
    async with journey.api.client() as client:
        assert (await journey.refresh(client, old_tokens["refresh_token"])).status_code == 401
        assert (await journey.refresh(client, successor["refresh_token"])).status_code == 200
    assert await purge(journey.database) == 0

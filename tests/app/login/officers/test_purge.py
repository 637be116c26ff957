"""The purge takes officers' logins and sessions that serve nothing any more, and keeps the places they are known at."""

from app.login.jobs import purge
from tests.app.login.journey import Journey
from tests.harness.officer_login import challenge
from tests.harness.officers import Officers
from tests.harness.tables import Tables


async def test_takes_only_what_ended(journey: Journey, officers: Officers) -> None:
    old, young = await officers.make(), await officers.make()
    async with journey.api.client() as client:
        await challenge(client, old.name)
        await challenge(client, young.name)
    async with Tables(journey.api.settings.database_url) as tables:
        await tables.run(
            "UPDATE officer_challenges SET expires_at = now() - interval '2 days' WHERE officer_id = $1", old.id
        )
        await tables.run(
            "UPDATE officer_sessions SET created_at = now() - interval '31 days' WHERE officer_id = $1", old.id
        )
        assert await purge(journey.database) == 2
        assert await tables.value("SELECT array_agg(officer_id) FROM officer_challenges") == [young.id]
        assert await tables.value("SELECT array_agg(officer_id) FROM officer_sessions") == [young.id]

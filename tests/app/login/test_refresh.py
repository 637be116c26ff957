"""Refresh tokens: each works once, a lost answer costs nothing, a stolen token ends its session."""

import asyncio
from typing import Any

from sqlalchemy import text

from tests.app.login.journey import Journey, assert_problem, somebody


async def rotated(journey: Journey) -> tuple[str, dict[str, Any]]:
    """A used refresh token, and what it was exchanged for."""
    first = str((await journey.register(somebody()))["refresh_token"])
    async with journey.api.client() as client:
        answer = await journey.refresh(client, first)
    assert answer.status_code == 200, answer.text
    return first, answer.json()


async def test_rotation(journey: Journey) -> None:
    first, second = await rotated(journey)
    assert second["refresh_token"] != first
    assert (await journey.me(second["access_token"])).status_code == 200
    async with journey.api.client() as client:
        third = await journey.refresh(client, second["refresh_token"])
    assert third.status_code == 200
    assert third.json()["refresh_token"] not in (first, second["refresh_token"])


async def test_lost_answer_is_asked_again_once_and_gets_the_same_successor(journey: Journey) -> None:
    first, second = await rotated(journey)
    async with journey.api.client() as client:
        again = await journey.refresh(client, first)
        assert again.status_code == 200
        assert again.json()["refresh_token"] == second["refresh_token"]
        assert (await journey.me(again.json()["access_token"])).status_code == 200
        assert (await journey.refresh(client, second["refresh_token"])).status_code == 200


async def test_same_token_twice_at_once_is_a_lost_answer_too(journey: Journey) -> None:
    first = (await journey.register(somebody()))["refresh_token"]
    async with journey.api.client() as client:
        answers = await asyncio.gather(journey.refresh(client, first), journey.refresh(client, first))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_third_use_ends_the_session(journey: Journey) -> None:
    first, second = await rotated(journey)
    async with journey.api.client() as client:
        assert (await journey.refresh(client, first)).status_code == 200
        assert_problem(await journey.refresh(client, first), 401, "session_revoked")
        assert_problem(await journey.refresh(client, second["refresh_token"]), 401, "session_revoked")
    assert_problem(await journey.me(second["access_token"]), 401, "session_revoked")


async def test_old_token_after_its_successor_was_used_is_theft(journey: Journey) -> None:
    first, second = await rotated(journey)
    async with journey.api.client() as client:
        third = (await journey.refresh(client, second["refresh_token"])).json()
        assert_problem(await journey.refresh(client, first), 401, "session_revoked")
        assert_problem(await journey.refresh(client, third["refresh_token"]), 401, "session_revoked")
    assert_problem(await journey.me(third["access_token"]), 401, "session_revoked")


async def test_old_token_after_a_minute_is_theft(journey: Journey) -> None:
    first, second = await rotated(journey)
    async with journey.database.transaction() as session:
        await session.execute(
            text(
                "update refresh_tokens set used_at = used_at - interval '61 s' where session_id ="
                " (select session_id from refresh_tokens where used_at is not null order by used_at desc limit 1)"
            )
        )
    async with journey.api.client() as client:
        assert_problem(await journey.refresh(client, first), 401, "session_revoked")
    assert_problem(await journey.me(second["access_token"]), 401, "session_revoked")


async def test_theft_ends_one_session_and_no_other(journey: Journey) -> None:
    person = somebody()
    stolen = (await journey.register(person))["refresh_token"]
    other = await journey.log_in(person)
    async with journey.api.client() as client:
        answers = [await journey.refresh(client, stolen) for _ in range(3)]
        assert_problem(answers[-1], 401, "session_revoked")
        assert (await journey.refresh(client, other["refresh_token"])).status_code == 200


async def test_expired_token(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.database.transaction() as session:
        await session.execute(
            text(
                "update refresh_tokens set expires_at = now() - interval '1 s' where id ="
                " (select id from refresh_tokens order by id desc limit 1)"
            )
        )
    async with journey.api.client() as client:
        assert_problem(await journey.refresh(client, tokens["refresh_token"]), 401, "token_expired")


async def test_session_past_its_longest_life(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.database.transaction() as session:
        await session.execute(
            text(
                "update sessions set expires_at = now() - interval '1 s' where id ="
                " (select id from sessions order by id desc limit 1)"
            )
        )
    async with journey.api.client() as client:
        assert_problem(await journey.refresh(client, tokens["refresh_token"]), 401, "session_revoked")


async def test_unknown_token_and_an_access_token_in_its_place(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.api.client() as client:
        unknown = await journey.refresh(client, "x" * 43)
        assert_problem(unknown, 401, "token_invalid")
        assert unknown.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert_problem(await journey.refresh(client, tokens["access_token"][:256]), 401, "token_invalid")


async def test_level_of_the_citizen_reaches_the_next_token(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.database.transaction() as session:
        await session.execute(
            text(
                "update citizens set assurance_level = 2 where id ="
                " (select citizen_id from sessions order by id desc limit 1)"
            )
        )
    async with journey.api.client() as client:
        assert (await journey.refresh(client, tokens["refresh_token"])).json()["assurance_level"] == 2


async def test_database_keeps_no_token_that_works(journey: Journey) -> None:
    first, second = await rotated(journey)
    async with journey.database.transaction() as session:
        rows = (await session.scalars(text("select t::text from refresh_tokens t"))).all()
    for token in (first, second["refresh_token"]):
        assert not any(token in row or token.encode().hex() in row for row in rows)

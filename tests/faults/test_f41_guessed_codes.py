"""F41: a thousand guesses at once at one code, fifty at one account, and many accounts from many addresses."""

import asyncio
from collections import Counter

import aiohttp
from sqlalchemy import text

from app.login.codes import LOCK_TRIES, TRIES
from tests.app.login.journey import Journey, assert_problem, somebody

PARALLEL = 1_000
# Fewer than a process refuses some of; the others wait here.
AT_ONCE = 100
CODES = 1_000_000
MOST_CHANCE = 1e-4


async def test_of_a_thousand_codes_at_once_exactly_five_are_checked(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        challenge_id = (await journey.ask_code(client, person.nik)).json()["challenge_id"]
        right = int(await journey.code(person.phone))
    path = f"{journey.api.url}/v1/login/challenges/{challenge_id}"
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), timeout=timeout) as session:

        async def guess(number: int) -> str:
            async with session.post(path, json={"method": "otp", "code": f"{number % CODES:06}"}) as answer:
                return str((await answer.json())["code"])

        said = Counter(await asyncio.gather(*(guess(right + 1 + n) for n in range(PARALLEL))))
    assert said["code_wrong"] == TRIES
    # A busy machine refuses some of so many at the door: those are no tries.
    assert set(said) <= {"code_wrong", "code_exhausted", "database_unavailable"}, said
    assert said["code_exhausted"] > 0
    async with journey.api.client() as client:
        assert_problem(await journey.answer(client, challenge_id, f"{right:06}"), 422, "code_exhausted")
    async with journey.database.transaction() as session_:
        counted = await session_.scalar(text("select tries from challenges where id = :id"), {"id": challenge_id})
    assert counted == TRIES


def test_the_chance_before_the_lock() -> None:
    assert LOCK_TRIES / CODES <= MOST_CHANCE

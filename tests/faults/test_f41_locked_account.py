"""F41: codes tried for an account are counted together: after fifty no guess is right, until its citizen lifts that."""

import asyncio

import httpx
from sqlalchemy import text

from app.login.codes import LOCK_TRIES, TRIES
from app.login.identity import Person
from tests.app.login.journey import PASSWORD, Journey, assert_problem, somebody


async def opened(journey: Journey, client: httpx.AsyncClient, person: Person, token: str = "") -> tuple[str, str]:
    """A challenge, and the code that came for it; "" where something else came."""
    body = {"nik": person.nik, "password": PASSWORD, "device_token": token}
    challenge_id = (await client.post("/v1/login/sessions", json=body)).json()["challenge_id"]
    newest = (await journey.notes(person.phone))[0]
    return challenge_id, await journey.code(person.phone) if "Kode masuk" in newest else ""


async def guess_until_locked(journey: Journey, client: httpx.AsyncClient, person: Person) -> tuple[str, str]:
    """Spend every guess an account allows, many at once; one more challenge that was open all the while."""
    challenges = [await opened(journey, client, person) for _ in range(LOCK_TRIES // TRIES + 1)]
    guesses = [
        journey.answer(client, challenge_id, f"{(int(code) + 1 + n) % 1_000_000:06}")
        for challenge_id, code in challenges[:-1]
        for n in range(TRIES)
    ]
    answers = await asyncio.gather(*guesses)
    assert {answer.json()["code"] for answer in answers} == {"code_wrong"}
    return challenges[-1]


async def test_after_the_last_guess_even_the_right_code_is_wrong(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        challenge_id, right = await guess_until_locked(journey, client, person)
        assert_problem(await journey.answer(client, challenge_id, right), 422, "code_wrong")
        assert_problem(await journey.answer(client, challenge_id, right), 422, "code_wrong")
        _, code = await opened(journey, client, person)
        assert code == ""
        assert "Terlalu banyak kode salah" in (await journey.notes(person.phone))[0]


async def test_the_citizen_lifts_it_on_a_device_they_have_used(journey: Journey) -> None:
    person = somebody()
    token = (await journey.register(person))["device_token"]
    async with journey.api.client() as client:
        stale, right = await guess_until_locked(journey, client, person)
        challenge_id, code = await opened(journey, client, person, token)
        assert (await journey.answer(client, challenge_id, code)).status_code == 201
        challenge_id, code = await opened(journey, client, person)
        assert (await journey.answer(client, challenge_id, code)).status_code == 201, "new devices too"
        assert (await journey.answer(client, stale, right)).status_code == 201


async def test_who_does_not_know_the_password_locks_nobody(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        for _ in range(LOCK_TRIES // TRIES + 2):
            challenge_id = (await journey.ask_code(client, person.nik, "Salah-Sekali-9")).json()["challenge_id"]
            await asyncio.gather(*(journey.answer(client, challenge_id, f"{n:06}") for n in range(TRIES)))
        challenge_id, code = await opened(journey, client, person)
        assert (await journey.answer(client, challenge_id, code)).status_code == 201


async def test_a_right_code_begins_anew(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        for _ in range(2):
            challenge_id, right = await opened(journey, client, person)
            await journey.answer(client, challenge_id, f"{(int(right) + 1) % 1_000_000:06}")
            assert (await journey.answer(client, challenge_id, right)).status_code == 201
    async with journey.database.transaction() as session:
        index = journey.vault.index("nik", person.nik)
        counted = await session.scalar(text("select tries from code_tries where account = :a"), {"a": index})
    assert counted is None

"""F22: Valkey is killed while citizens hand in and log in: every request is answered as before, and the limits, kept by
each process alone, are no wider."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.app.login.journey import WRONG_PASSWORD, Journey, somebody
from tests.harness.cases import hand_in
from tests.harness.figures import Tell
from tests.harness.own_valkey import OwnValkey, own_valkey
from tests.harness.people import Citizen, People

PAIRS, ROUNDS = 4, 12
# Wrong passwords for one account in a quarter of an hour, as app/login/limits.py has it.
LIMIT = 10
ASKED = 0.999


@pytest.fixture(scope="module")
def valkey() -> Iterator[OwnValkey]:
    with own_valkey() as own:
        yield own


@pytest.fixture(scope="module")
def valkey_url(valkey: OwnValkey) -> str:
    return valkey.url


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    return environment


async def one_round(journey: Journey, citizen: Citizen, seen: Counter[int]) -> None:
    """A citizen looks, hands in and reads it back; another registers and logs in."""
    for path in ("/v1/me", "/v1/cases", "/v1/services"):
        seen[(await citizen.get(path)).status_code] += 1
    case = await hand_in(citizen)
    seen[(await citizen.get(f"/v1/cases/{case['id']}")).status_code] += 1
    person = somebody()
    async with journey.api.client() as client:
        started = await journey.start_registration(client, person)
        seen[started.status_code] += 1
        identity, code = started.json()["registration_id"], await journey.code(person.phone)
        seen[(await journey.confirm(client, identity, code)).status_code] += 1
        asked = await journey.ask_code(client, person.nik)
        seen[asked.status_code] += 1
        answered = await journey.answer(client, asked.json()["challenge_id"], await journey.code(person.phone))
        seen[answered.status_code] += 1


@pytest.mark.timeout(240)
async def test_who_hands_in_or_logs_in_does_not_notice(
    people: People, journey: Journey, valkey: OwnValkey, tell: Tell
) -> None:
    citizens = [await people.make() for _ in range(PAIRS)]
    seen: Counter[int] = Counter()

    async def rounds(citizen: Citizen) -> None:
        for _ in range(ROUNDS // 3):
            await one_round(journey, citizen, seen)

    for change in (None, valkey.kill, valkey.start):
        at_work = asyncio.gather(*(rounds(citizen) for citizen in citizens))
        if change:
            await asyncio.to_thread(change)
        await at_work
    answered = sum(count for status, count in seen.items() if status < 300)
    tell(f"F22: {answered} of {seen.total()} requests answered through a kill of Valkey; asked {ASKED:.1%}")
    assert answered / seen.total() >= ASKED, seen


async def guesses(journey: Journey, client: httpx.AsyncClient, nik: str, count: int) -> list[int]:
    return [(await journey.ask_code(client, nik, WRONG_PASSWORD)).status_code for _ in range(count)]


async def test_no_limit_is_wider_without_it(journey: Journey, valkey: OwnValkey) -> None:
    """What was counted is lost with it; what this process lets through by itself is less than all together may."""
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        valkey.kill()
        try:
            answers = await guesses(journey, client, person.nik, LIMIT + 2)
        finally:
            valkey.start()
    through = [status for status in answers if status != 429]
    assert 1 <= len(through) <= LIMIT
    assert answers[-1] == 429
    assert set(through) == {200}, "as whether or not the password is right"

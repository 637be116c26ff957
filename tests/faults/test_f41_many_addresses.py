"""F41: one account from many addresses, many accounts from one, addresses made up; with Valkey, and with it dead."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

import httpx
import pytest

from tests.app.login.journey import Journey, somebody
from tests.harness.product import Api, free_port, running_api

ACCOUNT_LIMIT, REGISTRATIONS = 10, 100
MADE_UP = "192.0.2."


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """This module's product counts, and stands behind a proxy of its own: the test."""
    environment["LOKET_LIMITS"] = "strict"
    environment["LOKET_TRUSTED_PROXIES"] = "127.0.0.1/32"
    return environment


@pytest.fixture
def without_valkey(environment: dict[str, str]) -> Iterator[Api]:
    """The same product, whose Valkey does not answer."""
    dead = {"LOKET_VALKEY_URL": f"redis://127.0.0.1:{free_port()}/0", "LOKET_PORT": str(free_port())}
    with running_api({**environment, **dead}) as running:
        yield running


async def logins(api: Api, nik: str, forwarded: Sequence[Sequence[str]]) -> list[int]:
    """A wrong password for each way a request came (lines of X-Forwarded-For); the statuses."""
    statuses = []
    async with api.client() as client:
        for lines in forwarded:
            headers = httpx.Headers([("X-Forwarded-For", line) for line in lines])
            answer = await client.post(
                "/v1/login/sessions", json={"nik": nik, "password": "Salah-Sekali-9"}, headers=headers
            )
            statuses.append(answer.status_code)
    return statuses


async def test_one_account_from_many_addresses(journey: Journey) -> None:
    ways = [[f"198.51.100.{n}"] for n in range(ACCOUNT_LIMIT + 3)]
    assert await logins(journey.api, somebody().nik, ways) == [200] * ACCOUNT_LIMIT + [429] * 3


async def test_made_up_addresses_before_the_true_one_change_nothing(journey: Journey) -> None:
    """Registrations are counted for an address alone, as long as every one names another person and phone."""
    refused = 0
    async with journey.api.client() as client:
        for n in range(REGISTRATIONS + 5):
            person = somebody()
            lines = [("X-Forwarded-For", f"{MADE_UP}{n % 250}")] * (n % 3)
            headers = httpx.Headers([*lines, ("X-Forwarded-For", f"{MADE_UP}{n % 250}, 203.0.113.77")])
            body = {"nik": person.nik, "name": person.name, "birth_date": "1990-05-05", "phone": person.phone}
            answer = await client.post("/v1/login/registrations", json=body, headers=headers)
            refused += answer.status_code == 429
        other = {"X-Forwarded-For": "203.0.113.78"}
        person = somebody()
        body = {"nik": person.nik, "name": person.name, "birth_date": "1990-05-05", "phone": person.phone}
        assert (await client.post("/v1/login/registrations", json=body, headers=other)).status_code == 202
    assert refused == 5


async def test_with_valkey_dead_nothing_is_let_through_that_was_not_before(without_valkey: Api) -> None:
    nik = somebody().nik
    ways = [[f"198.51.100.{n}"] for n in range(ACCOUNT_LIMIT + 3)]
    statuses = await logins(without_valkey, nik, ways)
    through = statuses.count(200)
    assert 1 <= through <= ACCOUNT_LIMIT // 4
    assert statuses == [200] * through + [429] * (len(ways) - through)


async def test_many_at_once_with_valkey_dead(without_valkey: Api) -> None:
    nik = somebody().nik
    answers = await asyncio.gather(*(logins(without_valkey, nik, [["198.51.100.9"]]) for _ in range(20)))
    said = Counter(status for statuses in answers for status in statuses)
    assert 1 <= said[200] <= ACCOUNT_LIMIT // 4
    assert set(said) == {200, 429}

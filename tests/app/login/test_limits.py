"""Limits on login: per account and address, the same for people who exist and who do not."""

import httpx
import pytest

from tests.app.login.journey import Journey, assert_problem, somebody


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """This module's product counts."""
    environment["LOKET_LIMITS"] = "strict"
    return environment


async def _until_refused(journey: Journey, client: httpx.AsyncClient, nik: str) -> tuple[int, httpx.Response]:
    for count in range(50):
        answer = await journey.ask_code(client, nik, "salah-sekali-9")
        if answer.status_code != 200:
            return count, answer
    raise AssertionError("never refused")


async def test_known_and_unknown_accounts_are_refused_after_as_many_tries(journey: Journey) -> None:
    known = somebody()
    await journey.register(known)
    async with journey.api.client() as client:
        refusals = [await _until_refused(journey, client, nik) for nik in (known.nik, somebody().nik)]
        assert [count for count, _ in refusals] == [10, 10]
        for _, answer in refusals:
            assert_problem(answer, 429, "too_many_requests")
            assert 0 < int(answer.headers["retry-after"]) <= 900
        assert (await journey.ask_code(client, somebody().nik)).status_code == 200, "others go on"


async def test_registrations_of_one_nik_and_to_one_phone(journey: Journey) -> None:
    one = somebody()
    async with journey.api.client() as client:
        for _ in range(5):
            assert (await journey.start_registration(client, one)).status_code == 202
        assert_problem(await journey.start_registration(client, one), 429, "too_many_requests")
        assert len(await journey.notes(one.phone)) == 5, "nobody's phone is flooded"


async def test_another_address_in_a_header_is_not_believed(journey: Journey) -> None:
    nik = somebody().nik
    async with journey.api.client() as client:
        codes = []
        for n in range(12):
            client.headers["X-Forwarded-For"] = f"10.0.0.{n}"
            codes.append((await journey.ask_code(client, nik)).status_code)
    assert codes == [200] * 10 + [429] * 2


async def test_recoveries_of_one_nik_known_or_not(journey: Journey) -> None:
    """Nobody's phone is flooded by who knows their NIK; a device that the account knows is counted by itself."""
    known = somebody()
    device_token = (await journey.register(known))["device_token"]
    async with journey.api.client() as client:
        for nik in (known.nik, somebody().nik):
            answers = [await client.post("/v1/login/recoveries", json={"nik": nik}) for _ in range(6)]
            assert [answer.status_code for answer in answers] == [202] * 5 + [429]
        shown = {"nik": known.nik, "device_token": device_token}
        assert (await client.post("/v1/login/recoveries", json=shown)).status_code == 202


async def test_passwords_and_phones_are_tried_a_few_times(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.api.client(token=tokens["access_token"]) as client:
        guess = {"password": "salah-sekali-9", "new_password": "Empat-Kapal-Ungu"}
        statuses = [(await client.post("/v1/me/password", json=guess)).status_code for _ in range(11)]
        assert statuses == [422] * 10 + [429]
        asked = {"phone": somebody().phone, "password": "salah-sekali-9"}
        statuses = [(await client.patch("/v1/me", json=asked)).status_code for _ in range(6)]
        assert statuses == [422] * 5 + [429]

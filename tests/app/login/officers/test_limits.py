"""Strangers who try an officer's password from many places keep nobody out of the place they are known at."""

import pytest

from app.assembly import build
from app.errors import TooManyRequests
from app.login.officers.limits import PER_ACCOUNT, PER_ACCOUNT_AND_ADDRESS, count_passwords
from tests.harness.officer_login import Pages, answer, challenge, code
from tests.harness.officers import Officers
from tests.harness.product import Api


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    environment["LOKET_TRUSTED_PROXIES"] = "127.0.0.1/32"
    return environment


async def test_limits_hold_and_lock_nobody_out(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    async with api.client() as client:
        asked = await challenge(client, officer.name)
        assert (await answer(client, asked.json()["challenge_id"], code())).status_code == 201
    product = build(api.settings, "test")
    try:
        for number in range(PER_ACCOUNT - 1):
            await count_passwords(product.gate, officer.name, f"192.0.2.{number}")
        with pytest.raises(TooManyRequests):
            await count_passwords(product.gate, officer.name, "198.51.100.1")
        # The officer's own desk, where they logged in a moment ago.
        await count_passwords(product.gate, officer.name, "127.0.0.1")
    finally:
        await product.gate.close()
        await product.close()
    async with api.client() as client:
        answers = [await challenge(client, officer.name, "wrong") for _ in range(PER_ACCOUNT_AND_ADDRESS)]
    assert [each.status_code for each in answers[:3]] == [200] * 3
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("by_page", [False, True])
async def test_whoever_has_a_whole_network_of_addresses_tries_no_more_often(api: Api, by_page: bool) -> None:
    """A household's IPv6 network has more addresses than anybody could count by themselves."""
    statuses = []
    for number in range(PER_ACCOUNT_AND_ADDRESS + 1):
        came_from = {"X-Forwarded-For": f"2001:db8:{1 + by_page}::{number:x}"}
        if by_page:
            pages = Pages(api.url)
            await pages.get("/dashboard/login")
            tried = await pages.send("/dashboard/login", {"name": "nobody.page", "password": "wrong"}, **came_from)
        else:
            async with api.client() as client:
                given = {"name": "nobody.here", "password": "wrong"}
                tried = await client.post("/v1/officer/login", json=given, headers=came_from)
        statuses.append(tried.status_code)
    assert statuses == [200] * PER_ACCOUNT_AND_ADDRESS + [429]

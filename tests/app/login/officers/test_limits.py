"""Strangers who try an officer's password from many places keep nobody out of the place they are known at."""

import pytest

from app.assembly import build
from app.errors import TooManyRequests
from app.login.officers.limits import PER_ACCOUNT, PER_ACCOUNT_AND_ADDRESS, count_passwords
from tests.harness.officer_login import answer, challenge, code
from tests.harness.officers import Officers
from tests.harness.product import Api


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
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

"""The kept token: one login for all who wait, renewed when refused, no storm where a system refuses its own tokens."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.agency_token import KeptToken, TokenRefused
from app.errors import AgencyUnavailable


class Agency:
    """Gives numbered tokens and takes those of `valid`; `fails` has its logins end badly."""

    def __init__(self) -> None:
        self.logins = 0
        self.asked: list[str] = []
        self.valid: Callable[[str], bool] = lambda _token: True
        self.fails = False
        self.kept = KeptToken("agency", self.log_in)

    async def log_in(self) -> str:
        self.logins += 1
        number = self.logins
        await asyncio.sleep(0.01)
        if self.fails:
            raise AgencyUnavailable("agency", "token", "down")
        return f"t{number}"

    async def log_in_with_the_same(self) -> str:
        await self.log_in()
        return "t1"

    async def ask(self, token: str) -> str:
        self.asked.append(token)
        await asyncio.sleep(0.01)
        if not self.valid(token):
            raise TokenRefused
        return token

    def use(self) -> Awaitable[str]:
        return self.kept.use("read", self.ask)

    async def many(self, count: int = 50) -> list[str | BaseException]:
        return await asyncio.gather(*(self.use() for _ in range(count)), return_exceptions=True)


@pytest.fixture
async def agency() -> Agency:
    return Agency()


async def test_one_login_for_all_and_for_long(agency: Agency) -> None:
    assert set(await agency.many()) == {"t1"}
    assert set(await agency.many()) == {"t1"}
    assert agency.logins == 1


async def test_an_expired_token_is_renewed_once_for_all(agency: Agency) -> None:
    await agency.use()
    agency.valid = lambda token: token != "t1"
    assert set(await agency.many()) == {"t2"}
    assert agency.logins == 2


async def test_a_token_that_worked_is_renewed_however_young(agency: Agency) -> None:
    """Another process logs in with the same account: each login ends the other's token."""
    for number in range(1, 6):
        agency.valid = f"t{number}".__eq__
        assert await agency.use() == f"t{number}"


async def test_a_token_ended_before_its_first_use_is_renewed(agency: Agency) -> None:
    agency.valid = "t2".__eq__
    assert await agency.use() == "t2"


async def test_the_same_token_given_again_is_tried_again(agency: Agency) -> None:
    """A token made of the day, at a system that forgot it."""
    await agency.use()
    agency.kept._log_in = agency.log_in_with_the_same
    agency.valid = lambda _token: agency.logins > 1
    assert set(await agency.many()) == {"t1"}
    assert agency.logins == 2


async def test_an_expired_token_for_ever_costs_few_logins_however_many_ask(agency: Agency) -> None:
    agency.valid = lambda _token: False
    for _ in range(4):
        assert all(isinstance(outcome, AgencyUnavailable) for outcome in await agency.many())
    assert agency.logins == KeptToken.MOST_IN_VAIN
    with pytest.raises(AgencyUnavailable) as refused:
        await agency.use()
    assert (refused.value.code, refused.value.retry_after_s) == ("token_refused", KeptToken.REST_S)


async def test_is_back_at_once_when_its_tokens_are_taken_again(agency: Agency) -> None:
    agency.valid = lambda _token: False
    await agency.many()
    agency.valid = lambda _token: True
    assert isinstance(await agency.use(), str)


async def test_asks_for_another_after_a_rest(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeptToken, "REST_S", 0.05)
    agency.valid = "t4".__eq__
    for _ in range(4):
        await agency.many()
    await asyncio.sleep(0.06)
    assert await agency.use() == "t4"


async def test_a_login_that_fails_fails_for_all_who_wait_and_is_tried_again_later(agency: Agency) -> None:
    agency.fails = True
    assert all(isinstance(outcome, AgencyUnavailable) for outcome in await agency.many())
    assert agency.logins == 1
    assert agency.asked == []
    agency.fails = False
    assert await agency.use() == "t2"


async def test_who_gives_up_waiting_does_not_end_the_login(agency: Agency) -> None:
    impatient = asyncio.ensure_future(agency.use())
    patient = asyncio.ensure_future(agency.use())
    await asyncio.sleep(0.001)
    impatient.cancel()
    assert await patient == "t1"
    assert agency.logins == 1

"""Citizens who log out and withdraw what they agreed to while everything dies, and whoever has their token and tries it
ever after; and an officer who looks at cases."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import aiohttp
import msgspec

from tests.chaos.crowd import Account, Crowd
from tests.chaos.history import History, Looked, Used, now

EVERY_S, LOOK_EVERY_S = 2.0, 0.3
TRIED_AT_ONCE = 4
AGAIN_S = 0.25
Ask = Callable[[str], "aiohttp.client._RequestContextManager"]
_PATIENCE = aiohttp.ClientTimeout(total=30.0)
_CONSENT = b'{"purpose":"health-membership","version":1}'
_CONSENTED = "/v1/me/consents/health-membership"


class _Ended(msgspec.Struct, frozen=True):
    """A session that is over for its owner since `at`, and the last token it was given."""

    whose: UUID
    token: str
    at: float


class Leavers:
    """`leave` and `look` run until cancelled; `come_back` afterwards tries every ended session everywhere."""

    def __init__(self, crowd: Crowd, history: History, urls: Sequence[str], seed: int) -> None:
        self._crowd = crowd
        self._history = history
        self._all = urls
        self._urls = itertools.cycle(urls)
        self._dice = random.Random(f"{seed}.leavers")
        self._ended: list[_Ended] = []

    async def leave(self) -> None:
        """One after another; some of those who left try their tokens after each."""
        async with self._session() as session:
            for account in self._crowd.leavers:
                await self._withdraw(session, account)
                await self._log_out(session, account)
                for ended in self._dice.sample(self._ended, min(TRIED_AT_ONCE, len(self._ended))):
                    await self._try(session, next(self._urls), ended)
                await asyncio.sleep(EVERY_S)

    async def come_back(self) -> None:
        async with self._session() as session:
            for ended in self._ended:
                for url in self._all:
                    await self._try(session, url, ended)

    async def look(self) -> None:
        """The officer looks at cases that were accepted."""
        while True:
            if accepted := self._history.some_accepted(self._dice):
                await self.look_at(accepted.case_id)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look_at(self, case_id: str) -> None:
        headers = {"Authorization": f"Bearer {self._crowd.officers_token()}"}
        url = f"{next(self._urls)}/v1/officer/cases/{case_id}"
        status = 0
        try:
            async with self._session() as session:
                status = await _status(session.get(url, headers=headers))
        finally:
            # The run may end meanwhile: then it was asked, and nobody knows.
            self._history.look(Looked(case_id, status))

    async def _withdraw(self, session: aiohttp.ClientSession, account: Account) -> None:
        """Agree to something, and not any more; then what rests on it is asked for."""
        headers = self._headers(account) | {"Content-Type": "application/json"}
        await self._until(lambda url: session.post(f"{url}/v1/me/consents", data=_CONSENT, headers=headers), (201,))
        await self._until(lambda url: session.delete(f"{url}{_CONSENTED}", headers=headers), (204, 404))
        over = now()
        for url in self._all:
            asked = now()
            status = await _status(session.get(f"{url}/v1/health/membership", headers=headers))
            self._history.use(Used("consent", str(account.id), over, asked, status))

    async def _log_out(self, session: aiohttp.ClientSession, account: Account) -> None:
        """401: the answer to an earlier request was lost, and it was done."""
        headers = self._headers(account)
        await self._until(lambda url: session.delete(f"{url}/v1/me/sessions", headers=headers), (204, 401))
        self._ended.append(_Ended(account.id, account.token, now()))

    async def _until(self, ask: Ask, done: Sequence[int]) -> None:
        """As long as it takes: the run ends it, where it never comes."""
        while True:
            if await _status(ask(next(self._urls))) in done:
                return
            await asyncio.sleep(AGAIN_S)

    async def _try(self, session: aiohttp.ClientSession, url: str, ended: _Ended) -> None:
        asked = now()
        status = await _status(session.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {ended.token}"}))
        self._history.use(Used("session", str(ended.whose), ended.at, asked, status))

    def _headers(self, account: Account) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._crowd.token(account)}"}

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=_PATIENCE, trust_env=False)


async def _status(asked: "aiohttp.client._RequestContextManager") -> int:
    """0: nothing came back."""
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asked as answer:
            await answer.read()
            return answer.status
    return 0

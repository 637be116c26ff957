"""A token that an agency gives for a name and a password: asked for once, whoever waits, and kept until refused."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.errors import AgencyUnavailable

A = TypeVar("A")


class TokenRefused(Exception):
    """An operation was refused at the door because of its token, and surely had no effect."""


class KeptToken:
    """The token of one client. `log_in` gives a new one; `name` is the backend's, for errors.

    Copies of the product share one account, and a login of one may end the token of another: a token that worked is
    renewed as often as it is refused. But a system that refuses whatever it gives is asked for a few tokens only, and
    for the next after a rest; the one in hand is tried meanwhile.
    """

    REST_S = 10.0
    MOST_IN_VAIN = 3

    def __init__(self, name: str, log_in: Callable[[], Awaitable[str]]) -> None:
        self._name = name
        self._log_in = log_in
        self._token = ""
        self._in_vain = 0
        self._given_at = 0.0
        self._login: asyncio.Task[str] | None = None

    async def use(self, operation: str, ask: Callable[[str], Awaitable[A]]) -> A:
        """What `ask` gives with the token, or once more with a new one where it raises TokenRefused.

        Raises AgencyUnavailable where no token is given or the new one is refused too.
        """
        token = self._token or await self._renewed("")
        try:
            return await self._tried(token, ask)
        except TokenRefused:
            renewed = await self._renewed(token)
        try:
            if renewed != token:
                return await self._tried(renewed, ask)
        except TokenRefused:
            pass
        detail = "refuses the token it has just given"
        raise AgencyUnavailable(self._name, operation, detail, code="token_refused", retry_after_s=self.REST_S)

    async def _tried(self, token: str, ask: Callable[[str], Awaitable[A]]) -> A:
        answer = await ask(token)
        if token == self._token:
            self._in_vain = 0
        return answer

    async def _renewed(self, refused: str) -> str:
        """A token other than the refused one: the kept one where somebody renewed it, else from one login for all.

        The refused one again where another would not be better.
        """
        if self._token != refused:
            return self._token
        if self._login is None:
            if self._in_vain >= self.MOST_IN_VAIN and time.monotonic() - self._given_at < self.REST_S:
                return refused
            self._login = asyncio.create_task(self._new())
            self._login.add_done_callback(self._ended)
        # Whoever gives up waiting does not end the login for the others.
        return await asyncio.shield(self._login)

    async def _new(self) -> str:
        self._token = await self._log_in()
        self._in_vain += 1
        self._given_at = time.monotonic()
        return self._token

    def _ended(self, login: asyncio.Task[str]) -> None:
        self._login = None
        if not login.cancelled():
            login.exception()  # noqa: LOG004 - a task, no logger: if all who waited are gone, nobody else looks at it

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
        self._given = 0
        self._in_vain = 0
        self._worked = False
        self._given_at = 0.0
        self._login: asyncio.Task[None] | None = None

    @property
    def has_worked(self) -> bool:
        """Whether the token in hand was taken before: that it is refused now is how tokens end."""
        return self._worked

    async def use(self, operation: str, ask: Callable[[str], Awaitable[A]]) -> A:
        """What `ask` gives with the token, or once more with a new one where it raises TokenRefused.

        Raises AgencyUnavailable where no token is given or the new one is refused too.
        """
        if not self._given:
            await self._renew(0)
        given = self._given
        try:
            return await self._tried(ask)
        except TokenRefused:
            await self._renew(given)
        try:
            if self._given != given:
                return await self._tried(ask)
        except TokenRefused:
            pass
        detail = "refuses the token it has just given"
        raise AgencyUnavailable(self._name, operation, detail, code="token_refused", retry_after_s=self.REST_S)

    async def _tried(self, ask: Callable[[str], Awaitable[A]]) -> A:
        given = self._given
        answer = await ask(self._token)
        if self._given == given:
            self._in_vain = 0
            self._worked = True
        return answer

    async def _renew(self, refused: int) -> None:
        """One login for all whose token was refused; none where somebody renewed it, or at rest."""
        if self._given != refused:
            return
        if self._login is None:
            if self._in_vain >= self.MOST_IN_VAIN and time.monotonic() - self._given_at < self.REST_S:
                return
            self._login = asyncio.create_task(self._new())
            self._login.add_done_callback(self._ended)
        # Whoever gives up waiting does not end the login for the others.
        await asyncio.shield(self._login)

    async def _new(self) -> None:
        """The same token may be given again, and be good again: some are made of the day."""
        try:
            self._token = await self._log_in()
        finally:
            self._worked = False
        self._given += 1
        self._in_vain += 1
        self._given_at = time.monotonic()

    def _ended(self, login: asyncio.Task[None]) -> None:
        self._login = None
        if not login.cancelled():
            login.exception()  # noqa: LOG004 - a task, no logger: if all who waited are gone, nobody else looks at it

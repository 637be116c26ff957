"""More requests than can be answered in time are refused at once: who waits in vain costs those who could be served.

A request counts from when it is wholly here until its answer begins: neither a slow sender nor an open stream takes
anybody's place.
"""

import random
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app.errors import Unavailable
from app.headers import header
from app.problems import PROBLEM_JSON, render
from app.texts import language_of

# What one process answers within about a second; each more would only wait for the database, and then be refused.
# Half as many would cost a tenth less each, as less lies about; but whoever asks an agency that hangs is among them
# until its breaker opens, and the others would be refused for it.
MOST_WAITING = 256
# Spread, so that those who were refused together do not come back together.
RETRY_AFTER_S = (2, 8)
# What asks after the process itself is answered whatever happens.
_ALWAYS = ("/healthz", "/readyz", "/metrics")


class Shedding:
    """Wraps the application, inside of what counts and heads every answer."""

    def __init__(self, app: ASGIApp, most_waiting: int = MOST_WAITING) -> None:
        self._app = app
        self._most = most_waiting
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        if self.waiting >= self._most:
            await _refuse(scope, send)
            return
        place = _Place(self)

        async def send_and_leave(message: Message) -> None:
            place.leave(for_good=True)
            await send(message)

        async def receive_outside() -> Any:
            place.leave()
            try:
                return await receive()
            finally:
                place.take()

        place.take()
        try:
            await self._app(scope, receive_outside, send_and_leave)
        finally:
            place.leave(for_good=True)


class _Place:
    """One request's place among those that wait: held or not, and given up for good in the end."""

    __slots__ = ("_among", "_gone", "_held")

    def __init__(self, among: Shedding) -> None:
        self._among = among
        self._held = False
        self._gone = False

    def take(self) -> None:
        if not self._held and not self._gone:
            self._held = True
            self._among.waiting += 1

    def leave(self, *, for_good: bool = False) -> None:
        self._gone = self._gone or for_good
        if self._held:
            self._held = False
            self._among.waiting -= 1


async def _refuse(scope: HTTPScope, send: Send) -> None:
    refusal = Unavailable("overloaded", retry_after_s=random.randint(*RETRY_AFTER_S))  # noqa: S311 - jitter
    answer = render(refusal, language_of(header(scope, b"accept-language")))
    headers = [(name.lower().encode(), str(value).encode()) for name, value in answer.headers.items()]
    headers += [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", b"%d" % len(answer.content))]
    await send({"type": "http.response.start", "status": int(answer.status_code or 503), "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": False})

"""More requests than can be answered in time are refused at once: who waits in vain costs those who could be served.

A request counts from when it is wholly here until its answer begins, and not while it waits for an agency: neither a
slow sender nor a slow agency nor an open stream takes anybody's place.
"""

import random
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app.errors import Unavailable
from app.headers import header
from app.problems import PROBLEM_JSON, render
from app.texts import language_of
from app.waiting import Place, Room, place

# What one process answers within about half a second; each more would only wait for the database, and then be refused.
# Twice as many would cost each a tenth more, as more lies about.
MOST_WAITING = 128
# Spread, so that those who were refused together do not come back together.
RETRY_AFTER_S = (2, 8)
# What asks after the process itself is answered whatever happens.
_ALWAYS = ("/healthz", "/readyz", "/metrics")


class Shedding:
    """Wraps the application, inside of what counts and heads every answer."""

    def __init__(self, app: ASGIApp, most_waiting: int = MOST_WAITING) -> None:
        self._app = app
        self._most = most_waiting
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        if self._room.held >= self._most:
            await _refuse(scope, send)
            return
        ours = Place(self._room)

        async def send_and_leave(message: Message) -> None:
            ours.leave()
            await send(message)

        async def receive_outside() -> Any:
            ours.step_out()
            try:
                return await receive()
            finally:
                ours.come_back()

        place.set(ours)
        try:
            await self._app(scope, receive_outside, send_and_leave)
        finally:
            ours.leave()


async def _refuse(scope: HTTPScope, send: Send) -> None:
    refusal = Unavailable("overloaded", retry_after_s=random.randint(*RETRY_AFTER_S))  # noqa: S311 - jitter
    answer = render(refusal, language_of(header(scope, b"accept-language")))
    headers = [(name.lower().encode(), str(value).encode()) for name, value in answer.headers.items()]
    headers += [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", b"%d" % len(answer.content))]
    await send({"type": "http.response.start", "status": int(answer.status_code or 503), "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": False})

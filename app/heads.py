"""HEAD of whatever can be got: the answer that GET gives, without its body (RFC 9110, 9.3.2)."""

import asyncio
from typing import Any

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_GONE = {"type": "http.disconnect"}
_END: Any = {"type": "http.response.body", "body": b"", "more_body": False}


class Heads:
    """Wraps the application, outside of all that looks at a request's method."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != HttpMethod.HEAD:
            await self._app(scope, receive, send)
            return
        told, asked = asyncio.Event(), False

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send(_END)
                told.set()

        async def receive_until_told() -> Any:
            # A stream goes on until its reader leaves: here that is once its head was told.
            nonlocal asked
            if not asked:
                asked = True
                return await receive()
            await told.wait()
            return _GONE

        got: Any = {**scope, "method": HttpMethod.GET.value}
        await self._app(got, receive_until_told, send_head)

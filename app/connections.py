"""Citizens' connections: who sends too slowly is cut off, who leaves says so before hanging up, an answer is one write.

uvicorn does none of it: one that drips a byte now and then keeps its connection for ever, a process that ends closes
kept connections at the moment in which a request may be on its way, and an answer's head is sent before its body.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# A request's head is here within this, from connecting or from its first byte on. Spread: who came together would be
# hung up on together, and 800 of them cost everybody else half a second.
HEAD_S = 3.5, 7.5
# A body may take as long as it needs, at this pace at least: slower than any telephone.
LOOK_S = 3.5, 7.5
SLOWEST_BYTES_PER_S = 512
# An idle connection of a process that ends may still bring one request, which is answered with `Connection: close`.
LEAVE_S = 1.0
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class CitizenConnection(HttpToolsProtocol):
    """One connection. At most one of its timers runs: for a head, for a body, or for leaving.

    `_due` is the one to be started where what has come is read and more must follow: most requests come whole.
    """

    _timer: asyncio.TimerHandle | None = None
    _due: Callable[[], None] | None = None
    _received = 0
    _leaving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, _Gathering(transport, self.loop))
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._due is not None:
            self._due()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._next(self._watch_head)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._leaving:
            self.cycle.keep_alive = False
        self._next(self._watch_body)

    def on_message_complete(self) -> None:
        self._next(None)
        super().on_message_complete()

    def shutdown(self) -> None:
        """The process ends. What is under way is finished, and no other request follows it on this connection."""
        self._leaving = True
        if self._is_idle():
            self._start(LEAVE_S, self._leave)
        else:
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _leave(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _head_too_slow(self) -> None:
        if self._is_idle():
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def _next(self, due: Callable[[], None] | None) -> None:
        self._stop()
        self._due = due

    def _watch_head(self) -> None:
        self._start(random.uniform(*HEAD_S), self._head_too_slow)  # noqa: S311 - spread, not a secret

    def _watch_body(self) -> None:
        before, look_s = self._received, random.uniform(*LOOK_S)  # noqa: S311 - spread, not a secret

        def look() -> None:
            # Not its fault where we do not read.
            if self._received - before < SLOWEST_BYTES_PER_S * look_s and not self.flow.read_paused:
                self.transport.close()
            else:
                self._watch_body()

        self._start(look_s, look)

    def _start(self, seconds: float, then: Callable[[], None]) -> None:
        self._next(None)
        self._timer = self.loop.call_later(seconds, then)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Gathering:
    """A transport whose writes of one moment leave together: each by itself would be a system call and a packet.

    What is written first is held until the next write, or until the loop's next turn: a stream's head waits no longer.
    """

    __slots__ = ("_held", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held + data)
        elif data:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self.is_closing():
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

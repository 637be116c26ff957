"""Faults on demand: what one is, which calls it hits, and how it spoils an answer on the wire.

Before the backend's own work, so without an effect: hang, error_500, error_503, reset, bad_auth. After it, so with the
effect done: lost_answer, malformed, slow_body, huge_body; late_effect: `latency_ms` after the connection was lost.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from app.sandbox.port import Handler, Sandbox

Mode = Literal[
    "ok",
    "hang",
    "error_500",
    "error_503",
    "malformed",
    "reset",
    "lost_answer",
    "slow_body",
    "huge_body",
    "bad_auth",
    "late_effect",
]
RETRY_AFTER_S = 1
SLOW_PIECE_BYTES = 8
SLOW_PAUSE_S = 0.5
HUGE_BYTES = 1024 * 1024 * 1024
HUGE_PIECE = b"[" + b" " * 65_535
TRACE = (
    b"<html><body><h1>A Database Error Occurred</h1><p>Error Number: 1040</p><p>Too many connections</p></body></html>"
)


_AT_WORK: set[asyncio.Task[None]] = set()


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rate` is the fraction of calls hit, evenly spread; no `operations` means every one. `latency_ms` adds to any.

    `under`: only addresses of the backend that begin so, such as one facility's, "/puskesmas-sukorame/".
    """

    mode: Mode = "ok"
    latency_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0
    rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    operations: Sequence[str] = ()
    under: str = ""


class Faults:
    """The fault in force and whose turn it is. A rate of 0.1 hits every tenth call, so that a run can be repeated."""

    def __init__(self) -> None:
        self.current = Fault()
        self._due = 0.0

    def set(self, fault: Fault) -> None:
        self.current = fault
        self._due = 0.0

    def strike(self, operation: str, path: str) -> Fault | None:
        """The fault this call suffers, None where it goes through."""
        fault = self.current
        if fault.mode == "ok" and not fault.latency_ms:
            return None
        if (fault.operations and operation not in fault.operations) or not path.startswith(fault.under):
            return None
        self._due += fault.rate
        if self._due < 1 - 1e-9:
            return None
        self._due -= 1
        return fault


async def spoil(fault: Fault, request: web.Request, handler: Handler, sandbox: Sandbox) -> web.StreamResponse:
    """Answer one call as the fault says."""
    if fault.mode == "late_effect":
        return await _hang_up_and_work_on(fault, request, handler)
    if fault.latency_ms:
        await asyncio.sleep(fault.latency_ms / 1000)
    match fault.mode:
        case "hang":
            return await _hang(request)
        case "reset":
            return _cut(request)
        case "error_500":
            return web.Response(status=500, body=TRACE, content_type="text/html")
        case "error_503":
            return web.Response(status=503, text="Service Unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})
        case "bad_auth":
            return sandbox.refuse_auth()
    return await _spoil_answer(fault.mode, request, await handler(request))


async def _spoil_answer(mode: Mode, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b"{}"
    match mode:
        case "lost_answer":
            return _cut(request)
        case "huge_body":
            return await _huge(request)
        case "malformed":
            return web.Response(status=answer.status, body=_torn(body), content_type=answer.content_type)
        case "slow_body":
            return await _slowly(request, answer, body)
    return answer


async def _hang(request: web.Request) -> web.StreamResponse:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.2)
    return web.Response()


async def _hang_up_and_work_on(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """As a server does that notices only at the end that nobody waits any more."""
    await request.read()
    answer = _cut(request)

    async def work() -> None:
        await asyncio.sleep(fault.latency_ms / 1000)
        await handler(request)

    working = asyncio.create_task(work())
    _AT_WORK.add(working)
    working.add_done_callback(_AT_WORK.discard)
    return answer


def _cut(request: web.Request) -> web.StreamResponse:
    """End the connection by RST: no answer, and no orderly end either."""
    transport = request.transport
    if transport is not None:
        # A duplicate shares the socket's options; the loop's own handle refuses setsockopt on some loops.
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def _torn(body: bytes) -> bytes:
    """Half an answer and a warning: nothing a JSON or XML parser takes."""
    return body[: len(body) // 2] + b"<br />\n<b>Fatal error</b>: Allowed memory size exhausted"


async def _slowly(request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.content_length = len(body)
    await response.prepare(request)
    for start in range(0, len(body), SLOW_PIECE_BYTES):
        await response.write(body[start : start + SLOW_PIECE_BYTES])
        await asyncio.sleep(SLOW_PAUSE_S)
    return response


async def _huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(HUGE_BYTES // len(HUGE_PIECE)):
        await response.write(HUGE_PIECE)
    return response

"""A door before an agency's system: everything goes through, and is counted as it comes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web


class Passed(msgspec.Struct, frozen=True):
    """One request that came; `at_s` by the monotonic clock."""

    at_s: float
    method: str
    path: str


class Door:
    """`url` stands for the system behind. `passed` grows with each request."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.passed: list[Passed] = []
        self._target = target.rstrip("/")

    def since(self, at_s: float, part: str) -> list[Passed]:
        """What came from a moment on, to paths with `part` in them."""
        return [one for one in self.passed if one.at_s >= at_s and part in one.path]

    async def let_through(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        self.passed.append(Passed(time.monotonic(), request.method, request.path))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        async with session.request(
            request.method, f"{self._target}{request.path_qs}", headers=headers, data=await request.read()
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


_OF_ONE_HOP = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "date", "server"}


@asynccontextmanager
async def counting(target: str) -> AsyncIterator[Door]:
    """A door to `target` on a free port of this event loop."""
    door = Door(target)
    async with aiohttp.ClientSession(trust_env=False) as session:
        app = web.Application()

        async def answer(request: web.Request) -> web.Response:
            return await door.let_through(request, session)

        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield door
        finally:
            await runner.cleanup()

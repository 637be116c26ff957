"""An agency's system as bad as they come, on a real socket: it knows no reference of ours, commits late, loses answers,
answers twice, and shows what it has a little later than it has it. What it does is drawn from a seed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

# What was begun may come to its effect so long after its sender is gone, and is seen so long after that.
LATEST_S, HIDDEN_S = 0.5, 0.1
# Whether it has its effect, and how it is answered then.
WRITES = (
    ("ok", 6),
    ("lost", 2),
    ("late", 2),
    ("slow", 1),
    ("half", 1),
    ("twice", 1),
    ("never", 1),
    ("refused", 1),
    ("throttled", 1),
    ("turned away", 1),
    *((str(status), 0.5) for status in (200, 204, 302, 303, 401, 404, 408, 423, 425, 500, 502, 503, 504)),
)
READS = (("ok", 10), ("lost", 1), ("500", 1), ("404", 1), ("slow", 1), ("twice", 1))
PAGE = b"<html><body>Request Rejected</body></html>"
# With these it may have done what it was asked.
_PERHAPS = ("200", "204", "302", "303", "500", "502", "503", "504")


class Matter(msgspec.Struct):
    """One registration. `sender`: our reference, which it keeps and never tells. `seen_at` by the loop's clock."""

    number: str
    sender: str
    who: str
    seen_at: float
    withdrawn: int = 0
    question: str = ""
    asked: int = 0
    answers: list[str] = msgspec.field(default_factory=list)


class WeakAgency:
    """`heard` is called with the number of whatever it has just come to have: its callback."""

    def __init__(self, seed: int) -> None:
        self.url = ""
        self.seed = seed
        self.matters: dict[str, Matter] = {}
        self.healed = False
        self.modes: Counter[str] = Counter()
        self.heard: list[str] = []
        self._chance = random.Random(seed)
        self._working: set[asyncio.Task[None]] = set()

    def of(self, sender: str) -> list[Matter]:
        return [matter for matter in self.matters.values() if matter.sender == sender]

    def ask(self, number: str, question: str) -> None:
        """Something of the citizen, until it is answered."""
        matter = self.matters[number]
        matter.question, matter.asked = question, matter.asked + 1

    async def take(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()

        def register() -> bytes:
            number = f"N-{self.seed}-{len(self.matters) + 1:05d}"
            self.matters[number] = Matter(number, told["sender"], told["who"], _now() + HIDDEN_S)
            self.heard.append(number)
            return msgspec.json.encode({"number": number})

        return await self._write(request, register)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()

        def answered() -> bytes:
            matter = self.matters[told["number"]]
            matter.answers.append(told["answer"])
            matter.question = ""
            return b'{"number": "x"}'

        return await self._write(request, answered)

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()

        def withdrawn() -> bytes:
            self.matters[told["number"]].withdrawn += 1
            return b'{"number": "x"}'

        return await self._write(request, withdrawn)

    async def find(self, request: web.Request) -> web.StreamResponse:
        who = request.query["who"]
        seen = [each.number for each in self.matters.values() if each.who == who and each.seen_at <= _now()]
        return await self._read(request, msgspec.json.encode(seen))

    async def state(self, request: web.Request) -> web.StreamResponse:
        matter = self.matters.get(request.query["number"])
        if matter is None:
            return web.Response(status=404, body=PAGE)
        return await self._read(request, msgspec.json.encode({"question": matter.question}))

    async def _write(self, request: web.Request, effect: Callable[[], bytes]) -> web.StreamResponse:
        mode = self._drawn(WRITES)
        if mode == "late":
            self._drop(request)
            self._later(self._chance.uniform(0, LATEST_S), effect)
            return web.Response()
        if mode == "slow":
            # Past the patience of whoever asked.
            await asyncio.sleep(self._chance.uniform(0.3, LATEST_S))
        if mode in ("ok", "slow", "lost", "half", "twice") or (mode in _PERHAPS and self._chance.random() < 0.5):
            return self._answered(request, mode, effect())
        return self._not_done(request, mode)

    async def _read(self, request: web.Request, body: bytes) -> web.StreamResponse:
        mode = self._drawn(READS)
        if mode == "slow":
            await asyncio.sleep(LATEST_S)
        return self._answered(request, mode, body)

    def _answered(self, request: web.Request, mode: str, body: bytes) -> web.StreamResponse:
        if mode == "lost":
            return self._drop(request)
        if mode == "half" and request.transport is not None:
            request.transport.write(_whole(body)[:-4])
            request.transport.close()
        if mode == "twice" and request.transport is not None:
            # Once more on the kept connection, when whoever asked has their answer.
            asyncio.get_running_loop().call_later(0.01, _say_again, request.transport, body)
        if mode.isdecimal():
            return web.Response(status=int(mode), body=b"" if mode == "204" else PAGE)
        return web.Response(body=body, content_type="application/json")

    def _not_done(self, request: web.Request, mode: str) -> web.StreamResponse:
        if mode == "never":
            return self._drop(request)
        if mode == "throttled":
            status, headers = self._chance.choice((429, 503)), {"Retry-After": self._chance.choice(("0", "1"))}
            return web.Response(status=status, headers=headers, body=PAGE)
        status = {"refused": 422, "turned away": 403}.get(mode) or int(mode)
        return web.Response(status=status, body=b"" if status == 204 else PAGE)

    def _drop(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _later(self, seconds: float, effect: Callable[[], bytes]) -> None:
        async def work() -> None:
            await asyncio.sleep(seconds)
            effect()

        task = asyncio.create_task(work())
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def _drawn(self, modes: tuple[tuple[str, float], ...]) -> str:
        names, weights = zip(*modes, strict=True)
        mode = "ok" if self.healed else str(self._chance.choices(names, weights)[0])
        self.modes[mode] += 1
        return mode


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _say_again(transport: asyncio.Transport, body: bytes) -> None:
    if not transport.is_closing():
        transport.write(_whole(body))


def _now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def weak_agency(seed: int) -> AsyncIterator[WeakAgency]:
    """Listening, as `url` says."""
    agency, app = WeakAgency(seed), web.Application()
    posts: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
        "/take": agency.take,
        "/answer": agency.answer,
        "/withdraw": agency.withdraw,
    }
    app.add_routes([web.post(path, handler) for path, handler in posts.items()])
    app.add_routes([web.get("/find", agency.find), web.get("/state", agency.state)])
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    agency.url = f"http://{host}:{port}"
    try:
        yield agency
    finally:
        await runner.cleanup()

"""The sandboxes' host: each integration's sandbox under /<integration>, its controls under /<integration>/_sandbox.

It adds what no sandbox knows of: faults on demand, the ledger on disk, and the hand of the agency's officers. Which
quirks a sandbox has is its own affair; the host only keeps the switches.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from app.sandbox.faults import Fault, Faults, spoil
from app.sandbox.ledger import FileLedger
from app.sandbox.port import Effect, Handler, Route, Sandbox, Sending

B = TypeVar("B")
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_CONTROL_BYTES = 64 * 1024


class Work(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST work. Without a reference every matter moves, without a step by one."""

    reference: str | None = None
    step: str | None = None


class Calling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST callbacks: tell the product of a matter, so many times at once, after a while. `to`: a product at
    another address; `backend`: this system's name there, where it is not the sandbox's."""

    reference: str
    status: str
    repeat: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0
    to: str = ""
    backend: str = ""


class LedgerPage(msgspec.Struct, frozen=True):
    """Effects in the order in which they happened. `total` counts all, whatever was asked for."""

    items: list[Effect]
    total: int


def build_app(
    sandboxes: Mapping[str, type[Sandbox]], data_dir: Path, product_url: str = "http://127.0.0.1:8000"
) -> web.Application:
    """One application for all sandboxes. Ledgers found in `data_dir` are replayed; callbacks go to `product_url`."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    names = sorted(sandboxes)

    async def index(_request: web.Request) -> web.Response:
        return _json({"sandboxes": names})

    app.router.add_get("/", index)
    for name in names:
        stage = _Stage(name, sandboxes[name], data_dir / "sandboxes" / f"{name}.jsonl")
        stage.product_url = product_url
        stage.add_to(app)
    return app


async def serve(
    sandboxes: Mapping[str, type[Sandbox]], data_dir: Path, place: tuple[str, int], product_url: str
) -> None:
    """Serve on `place`, host and port, until cancelled. Raises OSError where the port is taken."""
    runner = web.AppRunner(build_app(sandboxes, data_dir, product_url), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, *place, backlog=1024).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


class _Stage:
    """One sandbox with its ledger and its faults."""

    product_url = ""

    def __init__(self, name: str, kind: type[Sandbox], ledger_path: Path) -> None:
        self._name = name
        self._ledger = FileLedger(ledger_path)
        self._sandbox = kind(self._ledger)
        self._ledger.open(self._sandbox.apply)
        self._faults = Faults()

    def add_to(self, app: web.Application) -> None:
        control = f"/{self._name}/_sandbox"
        app.router.add_get(f"{control}/ledger", self._read_ledger)
        app.router.add_get(f"{control}/faults", self._read_fault)
        app.router.add_put(f"{control}/faults", self._put_fault)
        app.router.add_delete(f"{control}/faults", self._delete_fault)
        app.router.add_get(f"{control}/quirks", self._read_quirks)
        app.router.add_put(f"{control}/quirks", self._put_quirks)
        app.router.add_delete(f"{control}/quirks", self._delete_quirks)
        app.router.add_post(f"{control}/reset", self._reset)
        app.router.add_post(f"{control}/work", self._work)
        app.router.add_post(f"{control}/callbacks", self._callbacks)
        for route in self._sandbox.routes():
            app.router.add_route(route.method, f"/{self._name}{route.path}", self._exposed_to_faults(route))

    def _exposed_to_faults(self, route: Route) -> Handler:
        if route.path.startswith("/_sandbox/"):
            return route.handler

        async def answer(request: web.Request) -> web.StreamResponse:
            fault = self._faults.strike(route.operation, request.path.removeprefix(f"/{self._name}"))
            if fault is None:
                return await route.handler(request)
            return await spoil(fault, request, route.handler, self._sandbox)

        return answer

    async def _read_ledger(self, request: web.Request) -> web.Response:
        found = list(self._ledger.effects())
        total = len(found)
        if reference := request.query.get("reference"):
            found = [effect for effect in found if effect.reference == reference]
        if limit := request.query.get("limit"):
            if not limit.isdecimal() or int(limit) == 0:
                return _refuse(400, "limit is a whole number above 0: that many of the newest effects")
            found = found[-int(limit) :]
        return _json(LedgerPage(found, total))

    async def _read_fault(self, _request: web.Request) -> web.Response:
        return _json(self._faults.current)

    async def _put_fault(self, request: web.Request) -> web.Response:
        fault = await _body(request, Fault)
        known = {route.operation for route in self._sandbox.routes()}
        if unknown := sorted(set(fault.operations) - known):
            return _refuse(400, f"unknown operations {unknown}; {self._name} has {sorted(known)}")
        self._faults.set(fault)
        return _json(fault)

    async def _delete_fault(self, _request: web.Request) -> web.Response:
        self._faults.set(Fault())
        return _json(self._faults.current)

    async def _read_quirks(self, _request: web.Request) -> web.Response:
        return _json(self._sandbox.quirk)

    async def _put_quirks(self, request: web.Request) -> web.Response:
        asked = await _body(request, dict[str, str])
        known = self._sandbox.quirks
        if unknown := sorted(name for name, way in asked.items() if way not in known.get(name, ())):
            return _refuse(400, f"unknown quirks or ways of {unknown}; {self._name} has {known}")
        self._sandbox.quirk = {**self._sandbox.usual_quirks(), **asked}
        return _json(self._sandbox.quirk)

    async def _delete_quirks(self, _request: web.Request) -> web.Response:
        self._sandbox.quirk = self._sandbox.usual_quirks()
        return _json(self._sandbox.quirk)

    async def _reset(self, _request: web.Request) -> web.Response:
        self._ledger.clear()
        self._sandbox.clear()
        self._sandbox.quirk = self._sandbox.usual_quirks()
        self._faults.set(Fault())
        return _json({"effects": 0})

    async def _work(self, request: web.Request) -> web.Response:
        asked = await _body(request, Work)
        try:
            moved = self._sandbox.work(asked.reference, asked.step)
        except KeyError:
            return _refuse(404, f"{self._name} knows no matter {asked.reference!r}")
        except ValueError as error:
            return _refuse(400, str(error))
        return _json({"moved": list(moved)})

    async def _callbacks(self, request: web.Request) -> web.Response:
        """Answers with the statuses the product answered with."""
        asked = await _body(request, Calling)
        sending = self._sandbox.callback(asked.reference, asked.status)
        if sending is None:
            return _refuse(404, f"{self._name} never calls")
        await asyncio.sleep(asked.delay_ms / 1000)
        url = f"{(asked.to or self.product_url).rstrip('/')}/callbacks/{asked.backend or self._name}{sending.suffix}"
        async with aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=60)) as session:
            statuses = await asyncio.gather(*(_call(session, url, sending) for _ in range(asked.repeat)))
        return _json({"statuses": statuses})


async def _call(session: aiohttp.ClientSession, url: str, sending: Sending) -> int:
    """The status of the answer, 0 where none came."""
    try:
        async with session.post(url, data=sending.body, headers=dict(sending.headers)) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def _body(request: web.Request, kind: type[B]) -> B:
    """A control request's body; its defaults where there is none. Raises 400 with what is wrong."""
    raw = await request.read()
    if len(raw) > MAX_CONTROL_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_CONTROL_BYTES, actual_size=len(raw))
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = msgspec.json.encode({"error": str(error)}).decode()
        raise web.HTTPBadRequest(text=text, content_type="application/json") from None


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _refuse(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)

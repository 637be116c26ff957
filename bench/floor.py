"""The lowest sensible cost of each operation: bare ASGI, asyncpg, msgspec. `python -m bench.floor SETTINGS`.

A token is verified once and remembered until it expires; ended sessions are looked up in a set of this process.
"""

import asyncio
import re
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import asyncpg
import httptools
import jwt
import msgspec
import uvicorn

from bench.forms import Submission
from bench.ground import AUDIENCE, POOL_SIZE, Settings

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MY_CASES = """SELECT id, number, service, status, delivery, created_at, updated_at FROM bench.cases
    WHERE citizen_id = $1 ORDER BY id DESC LIMIT 20"""
ONE_CASE = """SELECT id, number, service, status, delivery, created_at, updated_at FROM bench.cases
    WHERE id = $1 AND citizen_id = $2"""
TIMELINE = "SELECT seq, kind, label, at FROM bench.events WHERE case_id = $1 ORDER BY seq"
SUBMIT = """WITH opened AS (
        INSERT INTO bench.cases (id, number, citizen_id, service, status, delivery, form, created_at, updated_at)
        VALUES ($1, $2, $3, $4, 'submitted', 'queued', $5, now(), now()) RETURNING id)
    INSERT INTO bench.events (id, case_id, seq, kind, label, at)
    SELECT $6, id, 0, 'submitted', 'Permohonan diterima', now() FROM opened"""
CASE_PATH = re.compile(r"/cases/([0-9a-f-]{36})")


class Me(msgspec.Struct):
    id: str
    assurance_level: int


class CaseRow(msgspec.Struct):
    id: UUID
    number: str
    service: str
    status: str
    delivery: str
    created_at: datetime
    updated_at: datetime


class CaseList(msgspec.Struct):
    items: list[CaseRow]
    next_cursor: str | None


class EventRow(msgspec.Struct):
    seq: int
    kind: str
    label: str
    at: datetime


class CaseView(msgspec.Struct):
    case: CaseRow
    timeline: list[EventRow]


class Opened(msgspec.Struct):
    id: UUID
    number: str
    status: str


class AgencyRow(msgspec.Struct):
    """The agency's own names, as its answer has them."""

    n_pemohon: str
    n_perizinan: str
    no_surat: str
    tgl_surat: str
    d_berlaku_izin: str


class Licence(msgspec.Struct):
    number: str
    permit: str
    holder: str
    issued_on: str
    valid_until: str


encode = msgspec.json.Encoder().encode
read_submission = msgspec.json.Decoder(Submission).decode
read_agency_rows = msgspec.json.Decoder(list[AgencyRow]).decode


class AgencyConnection(asyncio.Protocol):
    """One keep-alive connection to the agency, one question at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, target: str) -> asyncio.Future[bytes]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: agency\r\n\r\n".encode())
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._answer is not None:
            self._answer.set_result(body)


class Floor:
    """The ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.verified: dict[bytes, tuple[float, UUID, str, int]] = {}
        self.ended_sessions: set[str] = set()
        self.agency: deque[AgencyConnection] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        status, body = await self._answer(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.pool = await asyncpg.create_pool(
            self.settings.database_url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_leave
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        caller = self._caller(scope["headers"])
        if caller is None:
            return 401, b'{"detail":"Not authenticated"}'
        citizen, level = caller
        path: str = scope["path"]
        if path == "/me":
            return 200, encode(Me(str(citizen), level))
        if path == "/licence":
            return 200, await self._licence(parse_qs(scope["query_string"].decode())["number"][0])
        if path == "/cases":
            return await (self._submit(citizen, receive) if scope["method"] == "POST" else self._my_cases(citizen))
        found = CASE_PATH.fullmatch(path)
        return await self._case(UUID(found[1]), citizen) if found else (404, b"{}")

    def _caller(self, headers: list[tuple[bytes, bytes]]) -> tuple[UUID, int] | None:
        token = next((value[7:] for name, value in headers if name == b"authorization"), b"")
        if token not in self.verified:
            try:
                claims = jwt.decode(token, self.settings.public_key, algorithms=["ES256"], audience=AUDIENCE)
            except jwt.InvalidTokenError:
                return None
            self.verified[token] = (claims["exp"], UUID(claims["sub"]), claims["sid"], int(claims["acr"]))
        expires, citizen, session, level = self.verified[token]
        if expires < time.time() or session in self.ended_sessions:
            return None
        return citizen, level

    async def _my_cases(self, citizen: UUID) -> tuple[int, bytes]:
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(MY_CASES, citizen)
        return 200, encode(CaseList([CaseRow(*row) for row in rows], None))

    async def _case(self, case: UUID, citizen: UUID) -> tuple[int, bytes]:
        async with self.pool.acquire() as connection:
            row = await connection.fetchrow(ONE_CASE, case, citizen)
            if row is None:
                return 404, b"{}"
            events = await connection.fetch(TIMELINE, case)
        return 200, encode(CaseView(CaseRow(*row), [EventRow(*event) for event in events]))

    async def _licence(self, number: str) -> bytes:
        connection = self.agency.popleft() if self.agency else await self._connect()
        row = read_agency_rows(await connection.ask(f"/cekperizinan?no_izin={number}"))[0]
        self.agency.append(connection)
        return encode(Licence(row.no_surat, row.n_perizinan, row.n_pemohon, row.tgl_surat, row.d_berlaku_izin))

    async def _connect(self) -> AgencyConnection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(AgencyConnection, "127.0.0.1", self.settings.agency_port))[1]

    async def _submit(self, citizen: UUID, receive: Receive) -> tuple[int, bytes]:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            submission = read_submission(body)
        except msgspec.ValidationError as error:
            return 422, encode({"detail": str(error)})
        case = uuid4()
        number = f"KDR-{case.hex[:12]}"
        form = encode(submission.form).decode()
        async with self.pool.acquire() as connection:
            await connection.execute(SUBMIT, case, number, citizen, submission.service, form, uuid4())
        return 201, encode(Opened(case, number, "submitted"))


async def _leave(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing of ours is left on a connection: no reset query."""


if __name__ == "__main__":
    read = msgspec.json.decode(sys.argv[1], type=Settings)
    uvicorn.run(Floor(read), host="127.0.0.1", port=read.port, access_log=False, log_level="warning")

"""The load generator: `python -m bench.load` reads a Plan as JSON from standard input and prints an Outcome.

Keep-alive connections on raw sockets, requests built beforehand: it takes little of the machine it shares.
"""

import asyncio
import itertools
import re
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, cast
from uuid import uuid4

import msgspec
import uvloop

UNIQUE = b"{unique}"
"""Stands in a request where every sending needs a value of its own (an Idempotency-Key)."""

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
DRAIN_S = 15
Done = Callable[["Connection", int], None]


class Plan(msgspec.Struct, frozen=True):
    """`requests` are sent in turn, over and over; with `once`, the run ends when each was sent. `rate_per_s` 0: every
    connection asks again at once; else that many a second in all, latency counted from the moment each was due."""

    port: int
    requests: Sequence[bytes]
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 3.0
    warm_up_s: float = 0.3
    connections: Annotated[int, msgspec.Meta(ge=1)] = 32
    rate_per_s: float = 0.0
    once: bool = False
    host: str = "127.0.0.1"


class Outcome(msgspec.Struct, frozen=True):
    """`sent` counts the warm-up too; rate and latencies do not."""

    sent: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    statuses: Mapping[str, int]


def request(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as bytes."""
    fields = {"Host": "127.0.0.1", "Accept": "application/json", **(headers or {})}
    if body:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


def generate(plan: Plan) -> Outcome:
    """Run a plan in a process of its own. Raises CalledProcessError where the server could not be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=msgspec.json.encode(plan), stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._received = b""
        self._whole = -1
        self.since = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, message: bytes, since: float) -> None:
        assert self.transport is not None
        self.since = since
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._whole < 0 and (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = CONTENT_LENGTH.search(self._received, 0, end)
            self._whole = end + 4 + int(length[1]) if length else -1
        if len(self._received) >= self._whole >= 0 or (self._whole < 0 and self._received.endswith(b"0\r\n\r\n")):
            status = int(self._received[9:12])
            self._received, self._whole = b"", -1
            self._done(self, status)


class Run:
    """Sends a plan's requests and keeps what came back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.statuses: Counter[int] = Counter()
        self.latencies_s: list[float] = []
        self.sent = 0
        self._messages = iter(plan.requests) if plan.once else itertools.cycle(plan.requests)
        self._begin = 0.0
        self._end = 0.0
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._all_idle = asyncio.Event()
        self._over = asyncio.Event()

    async def go(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(
                lambda: Connection(self._answered), self.plan.host, self.plan.port
            )
            self._idle.append(connection)
        now = time.perf_counter()
        self._begin, self._end = now + self.plan.warm_up_s, now + self.plan.warm_up_s + self.plan.seconds
        if self.plan.rate_per_s:
            await self._pace()
        else:
            for connection in list(self._idle):
                self._idle.remove(connection)
                self._send(connection, time.perf_counter())
            asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + self._end - now, self._over.set)
            await self._over.wait()
        # The answers under way are waited for, so that the server's work and our count agree.
        async with asyncio.timeout(DRAIN_S):
            await self._all_idle.wait()
        return self._outcome()

    async def _pace(self) -> None:
        due = time.perf_counter()
        while due < self._end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._due.append(due)
            self._serve_due()
            due += 1 / self.plan.rate_per_s

    def _serve_due(self) -> None:
        while self._due and self._idle:
            self._send(self._idle.popleft(), self._due.popleft())

    def _send(self, connection: Connection, since: float) -> None:
        message = next(self._messages, None)
        if message is None:
            self._end = min(self._end, since)
            self._over.set()
            self._rest(connection)
            return
        self.sent += 1
        self._all_idle.clear()
        connection.send(message.replace(UNIQUE, str(uuid4()).encode()) if UNIQUE in message else message, since)

    def _answered(self, connection: Connection, status: int) -> None:
        now = time.perf_counter()
        self.statuses[status] += 1
        if self._begin <= connection.since and now <= self._end:
            self.latencies_s.append(now - connection.since)
        if now < self._end and not self.plan.rate_per_s:
            self._send(connection, now)
        else:
            self._rest(connection)
            self._serve_due()

    def _rest(self, connection: Connection) -> None:
        self._idle.append(connection)
        if len(self._idle) == self.plan.connections:
            self._all_idle.set()

    def _outcome(self) -> Outcome:
        ordered = sorted(self.latencies_s) or [float("nan")]

        def quantile_ms(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

        return Outcome(
            sent=self.sent,
            per_s=len(self.latencies_s) / max(self._end - self._begin, 0.001),
            p50_ms=quantile_ms(0.50),
            p95_ms=quantile_ms(0.95),
            p99_ms=quantile_ms(0.99),
            statuses={str(status): count for status, count in self.statuses.items()},
        )


if __name__ == "__main__":
    plan_read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(Run(plan_read).go())))

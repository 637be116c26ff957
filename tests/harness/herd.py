"""Clients in turns of a few and of a herd; from a process of their own: in the test's, their work would be taken for
the server's. `python -m tests.harness.herd` with a Plan on stdin tells the Turns on stdout."""

import asyncio
import itertools
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec
import psutil
import uvloop

from bench.load import Connection, request

# On whatever machine.
LONGEST_S = 60.0
# Who was refused comes as often as so many would: hundreds of connections stand for thousands of clients.
EACH_STANDS_FOR = 4
# After so many answers it is looked whose time has come.
LOOK_EVERY = 50
_RETRY_AFTER = re.compile(rb"\r\nretry-after: (\d+)\r\n")


class Plan(msgspec.Struct, frozen=True):
    """Turns until `served` requests are: once all `many` at the same time, then `pairs` of `few` and of the herd as it
    goes on. All of them are connected all the while."""

    port: int
    server_pid: int
    tokens: Sequence[str]
    few: int
    many: int
    served: int
    pairs: int


class Turn(msgspec.Struct):
    """What became of one: answers by status, how long the server worked of a processor's time, and how long the middle
    served, the middle refused and the slowest refused one waited."""

    statuses: dict[int, int]
    worked_s: float
    served_s: float
    refused_s: float
    slowest_refusal_s: float
    # Refused, and not told when to come again.
    untold: int

    @property
    def worth(self) -> float:
        """How many are served for each second that the server works, refusing the others included."""
        return self.statuses.get(200, 0) / max(self.worked_s, 0.001)


class Turns(msgspec.Struct):
    """The arrival, then pairs made one right after the other."""

    arrival: Turn
    few: list[Turn]
    many: list[Turn]


class _Client(Connection):
    """One of the herd. Served, it asks again at once; refused, as soon as one of those it stands for was told to."""

    told: re.Match[bytes] | None = None
    # In the herd's time.
    comes_at_s = 0.0

    def data_received(self, data: bytes) -> None:
        # An answer's head is one write, and so one packet here.
        self.told = _RETRY_AFTER.search(data)
        super().data_received(data)


class _Herd:
    """The herd's time is what the server works for it: whatever else the machine does, as much of it goes by until
    somebody comes again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._server = psutil.Process(plan.server_pid)
        self._requests: Iterator[bytes] = itertools.cycle(
            request("GET", "/v1/cases", {"Authorization": f"Bearer {token}"}) for token in plan.tokens
        )
        self._clients: list[_Client] = []
        self._away: set[_Client] = set()
        self._asking, self._answers, self._untold = 0, 0, 0
        self._is_herd = False
        self._over = asyncio.Event()
        self._waits: dict[int, list[float]] = {}
        # The herd's time when a turn of it began, and what the server had worked by then.
        self._herd_s, self._before_s = 0.0, 0.0

    async def turns(self) -> Turns:
        loop, plan = asyncio.get_running_loop(), self._plan
        for _ in range(plan.many):
            _, client = await loop.create_connection(lambda: _Client(self._answered), "127.0.0.1", plan.port)
            self._clients.append(client)
        turns = Turns(await self._herd(), [], [])
        for pair in range(plan.pairs):
            # Now one first, now the other, so that what the machine does more and more of falls upon both.
            if pair % 2:
                turns.many.append(await self._herd())
            turns.few.append(await self._turn(random.sample(self._clients, plan.few)))
            if not pair % 2:
                turns.many.append(await self._herd())
        return turns

    async def _herd(self) -> Turn:
        away, self._away = self._away, set()
        here = [client for client in self._clients if client not in away or client.comes_at_s <= self._herd_s]
        self._away = away.difference(here)
        self._is_herd = True
        turn = await self._turn(here)
        self._is_herd = False
        self._herd_s += turn.worked_s
        return turn

    async def _turn(self, clients: Sequence[_Client]) -> Turn:
        self._over.clear()
        self._waits, self._asking, self._untold = {}, 0, 0
        self._before_s = self._worked_s()
        for client in clients:
            self._ask(client)
        async with asyncio.timeout(LONGEST_S):
            await self._over.wait()
        refused = self._waits.get(503, [0.0])
        return Turn(
            statuses={status: len(waits) for status, waits in self._waits.items()},
            worked_s=self._worked_s() - self._before_s,
            served_s=statistics.median(self._waits.get(200, [0.0])),
            refused_s=statistics.median(refused),
            slowest_refusal_s=max(refused),
            untold=self._untold,
        )

    def _ask(self, client: Connection) -> None:
        self._asking += 1
        client.send(next(self._requests), time.perf_counter())

    def _answered(self, client: Connection, status: int) -> None:
        self._waits.setdefault(status, []).append(time.perf_counter() - client.since)
        self._asking -= 1
        self._answers += 1
        if status == 503:
            self._send_away(client)
        elif self._goes_on():
            self._ask(client)
        if self._is_herd and self._answers % LOOK_EVERY == 0 and self._goes_on():
            self._call_back()
        if self._asking == 0:
            self._over.set()

    def _send_away(self, client: Connection) -> None:
        if not isinstance(client, _Client) or client.told is None:
            self._untold += 1
            return
        client.comes_at_s = self._now_s() + int(client.told[1]) / EACH_STANDS_FOR
        self._away.add(client)

    def _goes_on(self) -> bool:
        return len(self._waits.get(200, ())) + self._asking < self._plan.served

    def _call_back(self) -> None:
        now_s = self._now_s()
        for client in [each for each in self._away if each.comes_at_s <= now_s]:
            self._away.discard(client)
            self._ask(client)

    def _now_s(self) -> float:
        return self._herd_s + self._worked_s() - self._before_s

    def _worked_s(self) -> float:
        spent = self._server.cpu_times()
        return float(spent.user + spent.system)


if __name__ == "__main__":
    read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_Herd(read).turns())))

"""The machine of deliveries at work in the test's own process: two workers, one asker, callbacks and officers, and the
blows that fall on them, drawn from a seed."""

import asyncio
import functools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.assembly import Product
from app.callbacks import strays
from app.callbacks.actions import hear
from app.callbacks.port import Tiding
from app.callbacks.strays import Teller
from app.cases.delivery import Deliverer, Share
from app.cases.handover import DeliveryJob
from app.cases.refresh import Refresher
from app.cases.sweep import sweep_deliveries
from app.cases.tools import CaseTools, ModuleTools
from app.database import driver_url
from app.deliveries.acting import Acting
from app.deliveries.actions import retry
from app.errors import LoketError
from app.jobs import Queue, RetryLater, run_queues, wake_queue
from app.manifest import PollPolicy
from app.tasks import end
from tests.harness.calling import Wish, calling_from
from tests.harness.cases import hand_in
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables
from tests.harness.weak_agency import WeakAgency, weak_agency
from tests.harness.weak_handler import OPERATIONS, WeakCases

BACKEND = "sicantik"
# Its budget, and then the latest it may do what it was asked, and show it.
LATE_EFFECT_S = 1.5
PLACES, WORKERS = 4, 2
OPERATOR = Acting("petugas", "petugas.uji", "", alone=True)
_OPEN = "SELECT id, state, operation FROM deliveries WHERE state IN ('queued', 'delivering')"
_UNSETTLED = "SELECT id FROM deliveries WHERE state NOT IN ('delivered', 'rejected') AND case_id = ANY($1::uuid[])"
_LAPSE = "UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE id = $1 AND lease_until > now()"
_LEFT_BEHIND = """
UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE lease_until > now() AND id <> ALL($1::uuid[])
"""
_OVERDUE = """
UPDATE deliveries SET next_try_at = now() - interval '2 minutes', lease_until = NULL
WHERE state IN ('queued', 'delivering') AND (lease_until IS NULL OR lease_until < now())
    AND NOT EXISTS (SELECT FROM pgqueuer WHERE dedupe_key = deliveries.id::text AND status IN ('queued', 'picked'))
"""


class Hands:
    """One worker: `kill` ends what it has in hand wherever that is, as the death of its process would."""

    def __init__(self, tools: CaseTools) -> None:
        self._deliverer = Deliverer(tools, {BACKEND: Share(PLACES, 500.0)})
        self.at_work: dict[UUID, asyncio.Task[None]] = {}

    async def run(self, job: DeliveryJob) -> None:
        task = asyncio.create_task(self._deliverer.run(BACKEND, job))
        self.at_work[job.delivery_id] = task
        try:
            await asyncio.wait([task])
            if task.cancelled():
                raise RetryLater(0.05, "its worker died: another one takes it")
            task.result()
        finally:
            self.at_work.pop(job.delivery_id, None)


class Machine:
    """`numbers` of all cases whose citizens were told that they are handed in; `done`: how often each thing was."""

    def __init__(self, product: Product, agency: WeakAgency, citizens: list[Citizen], tables: Tables) -> None:
        self.product = product
        self.agency = agency
        self.numbers: set[str] = set()
        self.done: Counter[str] = Counter()
        self.hands = [Hands(product.cases) for _ in range(WORKERS)]
        self._tables = tables
        self._citizens = citizens
        self._cases: list[tuple[Citizen, str]] = []
        self._chance = random.Random(agency.seed)

    async def step(self) -> None:
        """One thing that somebody does, or that happens to us."""
        deeds: list[tuple[Callable[[], Awaitable[None]], float]] = [
            (self._hand_in, 6),
            (self._withdraw, 1.5),
            (self._ask, 1.5),
            (self._answer, 3),
            (self._call_back, 2),
            (self._kill, 2),
            (self._lose_job, 0.7),
            (self._retry, 1.5),
            (self.sweep, 0.5),
        ]
        does, weights = zip(*deeds, strict=True)
        deed = self._chance.choices(does, weights)[0]
        self.done[deed.__name__] += 1
        await deed()
        await asyncio.sleep(self._chance.choice((0, 0.02, 0.1, 0.2)))

    async def open_deliveries(self) -> list[dict[str, Any]]:
        return await self._tables.rows(_OPEN)

    async def sweep(self) -> None:
        """Of what has lost its job a minute ago, and of callbacks whose case is known by now."""
        await self._tables.run(_OVERDUE)
        if self.agency.healed:
            # A claim that was made just as its worker died has nobody; and as when an operator ends a pause, what waits
            # longer and longer looks now.
            at_work = [delivery_id for hands in self.hands for delivery_id in hands.at_work]
            await self._tables.run(_LEFT_BEHIND, at_work)
            await wake_queue(self._tables.connection, f"deliver.{BACKEND}")
        await sweep_deliveries(self.product.cases)
        await strays.match(self.product.database)

    async def _hand_in(self) -> None:
        citizen = self._chance.choice(self._citizens)
        case = await hand_in(citizen)
        self.numbers.add(case["number"])
        self._cases.append((citizen, case["id"]))

    async def _withdraw(self) -> None:
        if self._cases:
            citizen, case_id = self._chance.choice(self._cases)
            await citizen.post(f"/v1/cases/{case_id}/withdraw", {"reason": "Batal"})

    async def _ask(self) -> None:
        free = [each.number for each in self.agency.matters.values() if not each.question and not each.withdrawn]
        if free:
            self.agency.ask(self._chance.choice(free), "Berapa tinggi tiangnya?")

    async def _answer(self) -> None:
        """Whoever is asked answers, with words that tell one answer from another."""
        for citizen, case_id in self._cases:
            shown = (await citizen.get(f"/v1/cases/{case_id}")).json()
            if shown["status"] == "needs_citizen":
                words = f"{shown['number']} {len(shown['timeline'])}"
                await citizen.post(f"/v1/cases/{case_id}/answers", {"answer": words})
                return

    async def _call_back(self) -> None:
        """What it has told of, in any order, perhaps before its own answer; some things twice."""
        if not self.agency.heard:
            return
        number = self._chance.choice(self.agency.heard)
        teller = Teller(BACKEND, "dpmptsp", self.product.vault)
        async with self.product.database.begin() as connection:
            await hear(connection, teller, [Tiding("case", number, str(self._chance.randint(1, 3)))])

    async def _kill(self) -> None:
        hands = self._chance.choice(self.hands)
        for delivery_id, task in list(hands.at_work.items()):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
            # Nobody is at it any more, and waits out its lease.
            await self._tables.run(_LAPSE, delivery_id)

    async def _lose_job(self) -> None:
        if found := await self.open_deliveries():
            one = self._chance.choice(found)["id"]
            await self._tables.run("DELETE FROM pgqueuer WHERE dedupe_key = $1 AND status = 'queued'", str(one))

    async def _retry(self) -> None:
        rows = await self._tables.rows(_UNSETTLED, [UUID(case_id) for _, case_id in self._cases])
        if rows:
            with suppress(LoketError):
                async with self.product.database.begin() as connection:
                    one = self._chance.choice(rows)["id"]
                    await retry(connection, OPERATOR, one, "Dicoba lagi.", self.product.cases)


@asynccontextmanager
async def machine_at_work(product: Product, people: People, tables: Tables, seed: int) -> AsyncIterator[Machine]:
    """Its workers and its asker run while the block does. Two of its citizens are namesakes."""
    citizens = [await people.make(name=f"{name} {seed}") for name in ("Siti", "Siti", "Budi", "Ani", "Joko")]
    async with AsyncExitStack() as stack:
        agency = await stack.enter_async_context(weak_agency(seed))
        wish = Wish(concurrency=PLACES, operations=OPERATIONS)
        caller = await stack.enter_async_context(calling_from(agency.url, wish=wish))
        own = _with_handler(product, WeakCases(caller.client))
        machine = Machine(own, agency, citizens, tables)
        for hands in machine.hands:
            await stack.enter_async_context(_working(own, hands))
        policy = PollPolicy(interval_s=1.0, demo_interval_s=0.3, per_second=500.0)
        asking = asyncio.create_task(Refresher(BACKEND, policy, own.cases, demo=True).run())
        stack.push_async_callback(end, asking)
        yield machine


def _with_handler(product: Product, handler: WeakCases) -> Product:
    backends = product.cases.modules["permits"].backends
    modules = {**product.cases.modules, "permits": ModuleTools(handler, backends)}
    cases = msgspec.structs.replace(product.cases, modules=modules, late_effects_s={BACKEND: LATE_EFFECT_S})
    return msgspec.structs.replace(product, cases=cases)


@asynccontextmanager
async def _working(product: Product, hands: Hands) -> AsyncIterator[None]:
    connection = await asyncpg.connect(driver_url(product.settings.database_url))
    queue = Queue(f"deliver.{BACKEND}", DeliveryJob, functools.partial(Hands.run, hands), PLACES * 16)
    jobs = await run_queues(connection, [queue])
    working = asyncio.create_task(
        jobs.run(timedelta(seconds=0.2), batch_size=64, heartbeat_timeout=timedelta(seconds=10))
    )
    try:
        yield
    finally:
        jobs.shutdown.set()
        await working
        await connection.close()

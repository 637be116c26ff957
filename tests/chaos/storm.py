"""One run: citizens hand in while the product is ill-treated; it is healed, and every invariant asked."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

import asyncpg
import msgspec
import uvloop

from app.sandbox.client import HttpWorkbench
from app.tasks import end
from tests.chaos import witness
from tests.chaos.checker import Verdict, check
from tests.chaos.crowd import Crowd
from tests.chaos.evidence import Found, read_ledger
from tests.chaos.ground import LINKS, Ground, Shape, standing
from tests.chaos.history import Asked, History
from tests.chaos.leavers import Leavers
from tests.chaos.load import Load
from tests.chaos.outages import Answered, Outage, outages
from tests.chaos.schedule import Action, Wildness, schedule
from tests.harness.tables import Tables

BACKEND = "sicantik"
MOST_CITIZENS = 1_000
CASES_EACH = 10
LEAST_LEAVERS = 8
# The share of registrations whose answer is lost all along, beside what the schedule does.
LOST_ANSWERS = 0.01
QUIESCE_S = 300.0
MOST_OPEN = 400
LOOK_EVERY_S, LOOK_BUDGET_S = 0.5, 5.0
OTHERWISE = 100
TELL_EVERY_S = 15.0
_OPEN = "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'delivering')"
_UNLINKED = "SELECT count(*) FROM audit_rows WHERE NOT EXISTS (SELECT FROM audit_links WHERE row_id = audit_rows.id)"
_STATES = """
SELECT operation || ' ' || state || coalesce(': ' || reason, '') AS standing, count(*) FROM deliveries GROUP BY 1
"""
_LEFT = """
SELECT number, concat_ws(' ', operation, deliveries.state, 'tries', attempts, detail, 'next at', next_try_at::text,
    'leased until', lease_until::text, 'job', (SELECT status::text FROM pgqueuer WHERE dedupe_key = deliveries.id::text
        LIMIT 1)) AS standing
FROM deliveries JOIN cases ON cases.id = case_id WHERE deliveries.state IN ('queued', 'delivering') LIMIT 20
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`cases` are handed in by `at_once` citizens at a time, or for `seconds` where that is over sooner. `wild`:
    pauses, bad networks and a failing agency beside the kills. `replayed`: at most so many keys are asked again;
    `kills`: whom, where not everybody; `tell`: where it is told how far the run is."""

    cases: int
    seed: int
    seconds: float = float("inf")
    at_once: int = 24
    wild: bool = False
    longest_pause_s: float = 4.0
    replayed: int = 1_000_000
    kills: Sequence[str] = ()
    kill_every_s: tuple[float, float] = (1.0, 5.0)
    shape: Shape = Shape()
    tell: Callable[[str], None] = lambda _: None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. `drained_s`: from the healing until nothing was open; None where that never came, and `left` is
    what was still open then."""

    plan: Plan
    verdicts: Sequence[Verdict]
    storm_s: float
    drained_s: float | None
    asked: int
    accepted: int
    statuses: dict[int, int]
    deliveries: dict[str, int]
    misfortunes: dict[str, int]
    outages: Sequence[Outage]
    left: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        return self.drained_s is not None and not any(verdict.broken for verdict in self.verdicts)


def run(plan: Plan) -> Report:
    """Everything, in this process and those it starts. Not to be called where an event loop runs."""
    with standing(plan.shape) as ground:
        return run_on(ground, plan)


def run_on(ground: Ground, plan: Plan) -> Report:
    """The same on ground that stands already, and on which nothing was handed in."""
    with History(ground.folder / "history.jsonl") as history:
        return uvloop.run(_Run(plan, ground, history).go())


class _Run:
    def __init__(self, plan: Plan, ground: Ground, history: History) -> None:
        self.plan = plan
        self.ground = ground
        self.history = history

    async def go(self) -> Report:
        ground, plan = self.ground, self.plan
        await witness.install(ground.settings.database_url)
        citizens = min(MOST_CITIZENS, max(1, plan.cases // CASES_EACH))
        crowd = await Crowd.gather(ground.settings, citizens, leavers=max(LEAST_LEAVERS, citizens // 10))
        try:
            return await self._with(crowd, await crowd.files(plan.cases))
        finally:
            await crowd.disperse()

    async def _with(self, crowd: Crowd, files: Sequence[UUID]) -> Report:
        ground, plan = self.ground, self.plan
        leavers = Leavers(crowd, self.history, ground.urls, plan.seed)
        async with (
            HttpWorkbench(f"{ground.settings.sandbox_url}/{BACKEND}") as bench,
            Load(crowd, self.history, ground.urls, plan.seed) as load,
        ):
            await bench.fault("lost_answer", ["register"], rate=LOST_ANSWERS)
            begun = time.monotonic()
            with _ill_treated(ground, plan):
                beside = (self._hold_back(load), self._tell_progress(), leavers.leave(), leavers.look())
                watching = [asyncio.create_task(each) for each in beside]
                await load.hand_in(files, plan.at_once, begun + plan.seconds)
                await end(*watching)
                for each in watching:
                    if not each.cancelled():
                        each.result()
            storm_s = time.monotonic() - begun
            await bench.heal()
            # What nobody knows yet, asked again and once more: the same answer both times.
            unknown = list(self.history.unknown())
            plan.tell(f"healed after {storm_s:.0f} s; {len(unknown)} unanswered are asked again")
            await load.ask_again(unknown, plan.at_once)
            drained_s = await until_drained(ground.settings.database_url)
            plan.tell("the queue is empty" if drained_s is not None else f"the queue is not empty after {QUIESCE_S} s")
            await load.ask_again(unknown + self._some_known(), plan.at_once)
            await leavers.come_back()
            otherwise = [await load.ask_otherwise(asked) for asked in self._some_known()[:OTHERWISE]]
            await until_linked(ground.settings.database_url)
            plan.tell("all was asked again; the invariants are asked")
            return await self._report(storm_s, drained_s, await self._found(crowd, otherwise))

    async def _hold_back(self, load: Load) -> None:
        """Nobody hands in while much is open: what is delivered is delivered in the storm, not in the calm after it."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with asyncio.timeout(LOOK_BUDGET_S), Tables(self.ground.settings.database_url) as tables:
                    if await tables.value(_OPEN) > MOST_OPEN:
                        load.room.clear()
                    else:
                        load.room.set()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            accepted, misfortunes = len(self.history.accepted()), len(self.ground.done)
            self.plan.tell(f"{accepted} of {self.plan.cases} accepted, {misfortunes} misfortunes")

    def _some_known(self) -> list[Asked]:
        accepted = list(self.history.accepted())
        step = max(1, len(accepted) // self.plan.replayed)
        return [self.history.asked[key][0] for key in accepted[::step]]

    async def _found(self, crowd: Crowd, otherwise: Sequence[int]) -> Found:
        ledger = list(read_ledger(self.ground.ledgers / f"{BACKEND}.jsonl"))
        outputs = await self.ground.outputs()
        return Found(history=self.history, ledger=ledger, otherwise=otherwise, outputs=outputs, canaries=crowd.canaries)

    async def _report(self, storm_s: float, drained_s: float | None, found: Found) -> Report:
        ground, history = self.ground, self.history
        async with Tables(ground.settings.database_url) as tables:
            states = await tables.rows(_STATES)
            left = await tables.rows(_LEFT)
        return Report(
            plan=self.plan,
            verdicts=await check(ground.settings, found),
            storm_s=storm_s,
            drained_s=drained_s,
            asked=sum(map(len, history.asked.values())),
            accepted=len(history.accepted()),
            statuses=dict(Counter(told.status for all_told in history.told.values() for told in all_told)),
            deliveries={row["standing"]: row["count"] for row in states},
            misfortunes=dict(Counter(_name_of(action) for _, action in ground.done)),
            outages=_outages(ground, history),
            left=[f"{row['number']}: {row['standing']}" for row in left],
        )


async def until_drained(database_url: str) -> float | None:
    """How long until no delivery is open; None where that never comes."""
    return await _until_none(database_url, _OPEN)


async def until_linked(database_url: str) -> float | None:
    """How long until every audit row stands in the chain."""
    return await _until_none(database_url, _UNLINKED)


async def _until_none(database_url: str, counting: str) -> float | None:
    begun = time.monotonic()
    async with Tables(database_url) as tables:
        while time.monotonic() - begun < QUIESCE_S:
            if await tables.value(counting) == 0:
                return time.monotonic() - begun
            await asyncio.sleep(0.5)
    return None


def wildness(plan: Plan) -> Wildness:
    """Everybody is killed, unless the plan says whom; with `wild` everything else befalls them too."""
    everybody = [f"api-{number}" for number in range(plan.shape.apis)]
    everybody += [f"worker-{number}" for number in range(plan.shape.workers)]
    # PostgreSQL twice: it is what most can be lost with.
    kills = plan.kills or ["postgres", "postgres", "valkey", *everybody]
    if not plan.wild:
        return Wildness(kills=kills, kill_every_s=plan.kill_every_s)
    return Wildness(
        kills=kills,
        kill_every_s=plan.kill_every_s,
        pauses=kills,
        links=LINKS if plan.shape.proxied else (),
        backends=[BACKEND],
        longest_pause_s=plan.longest_pause_s,
    )


@contextmanager
def _ill_treated(ground: Ground, plan: Plan) -> Iterator[None]:
    """The schedule runs in a thread of its own, so that a busy load does not put it off; the end heals everything."""
    over = threading.Event()

    def go() -> None:
        begun = time.monotonic()
        for action in schedule(plan.seed, wildness(plan)):
            if over.wait(max(0.0, begun + action.at_s - time.monotonic())):
                return
            if action.kind == "agency":
                asyncio.run(_agency_fails(ground, action, over))
            else:
                ground.act(action)

    thread = threading.Thread(target=go, name="schedule")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        ground.heal()


async def _agency_fails(ground: Ground, action: Action, over: threading.Event) -> None:
    ground.done.append((time.monotonic(), action))
    async with HttpWorkbench(f"{ground.settings.sandbox_url}/{action.target}") as bench:
        await bench.fault(action.mode, rate=0.5)
        await asyncio.to_thread(over.wait, action.for_s)
        await bench.fault("lost_answer", ["register"], rate=LOST_ANSWERS)


def _name_of(action: Action) -> str:
    target = action.target.partition("-")[0]
    return f"{action.kind} {target}{' ' + action.mode if action.mode else ''}"


def _outages(ground: Ground, history: History) -> list[Outage]:
    """From each kill, and from the beginning and the end of whatever lasts, but what befalls agencies."""
    befell = [(at, action, _name_of(action)) for at, action in ground.done if action.kind != "agency"]
    ended = [(at + action.for_s, f"end of {name}") for at, action, name in befell if action.for_s]
    told = (each for all_told in history.told.values() for each in all_told if 200 <= each.status < 300)
    return outages(
        [*((at, name) for at, _, name in befell), *ended], [Answered(each.at, each.asked_at) for each in told]
    )

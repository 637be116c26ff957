"""All parts of a home asked side by side: what is there in time is shown, and no part waits for another."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from prometheus_client import Counter

from app.agency_reads import stale_after
from app.errors import AgencyError, Forbidden, LoketError, Unavailable
from app.home.port import NO_HURRY, Asker, Part, Told
from app.home.schemas import VIEWS, HomeView, PartReason, PartView, State
from app.login.guards import Caller
from app.problems import known, problem_of
from app.texts import Language, text

# The home answers within 300 ms: at the first an agency's last word is taken, at the second what is not there is late.
STALE_AFTER_S, ANSWER_AFTER_S = 0.18, 0.25
# More than the budget of any question to an agency, so that it is the question that fails, for a cause of its own.
PART_S = 8.0

PARTS = Counter("loket_home_parts_total", "Parts of citizens' homes, by what was shown", ["part", "state"])
# Broken off and not over yet: a task that nobody holds may be lost on its way out.
_leaving: set[asyncio.Task[PartView]] = set()


class Placed(msgspec.Struct, frozen=True):
    """A part and where it comes from: the module ("" for the city's own), its agency, its services."""

    part: Part[Any]
    module: str = ""
    agency: str | None = None
    services: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.module}.{self.part.kind}" if self.module else self.part.kind

    def is_for(self, caller: Caller) -> bool:
        """For who acts for somebody: what may be seen for others, of what the delegation covers."""
        if caller.acting is None:
            return True
        covered = not self.module or not set(self.services).isdisjoint(caller.acting.services)
        return self.part.for_others and covered


Asked = Mapping[str, "asyncio.Task[PartView]"]


async def gather(sources: Sequence[Placed], asker: Asker) -> HomeView:
    """What is known within ANSWER_AFTER_S; the rest is late, and of what it asked an agency the next ask may hear."""
    tasks = ask_all(sources, asker, time.monotonic() + STALE_AFTER_S)
    try:
        await asyncio.wait(tasks.values(), timeout=ANSWER_AFTER_S)
        return told_by_now(sources, tasks, asker.language)
    finally:
        break_off(tasks.values())


def ask_all(sources: Iterable[Placed], asker: Asker, by: float = NO_HURRY) -> dict[str, "asyncio.Task[PartView]"]:
    """A task for each part, by its name: none of them ever raises."""
    hurried = msgspec.structs.replace(asker, by=by)
    return {each.name: asyncio.create_task(_read(each, hurried), name="home-part") for each in sources}


def told_by_now(sources: Iterable[Placed], tasks: Asked, language: Language) -> HomeView:
    """The parts that have come; the others as late."""
    shown = [
        tasks[each.name].result() if tasks[each.name].done() else _view(each, "late", language) for each in sources
    ]
    for part in shown:
        PARTS.labels(part.name, part.state).inc()
    return HomeView(shown)


def break_off(tasks: Iterable["asyncio.Task[PartView]"]) -> None:
    """End what is not over. Whatever it asked an agency goes on by itself."""
    for task in tasks:
        if task.cancel():
            _leaving.add(task)
            task.add_done_callback(_leaving.discard)


async def _read(source: Placed, asker: Asker) -> PartView:
    stale_after.set(asker.by)
    limit = asyncio.timeout(PART_S)
    try:
        if asker.caller.assurance_level < source.part.level:
            raise Forbidden("assurance_level_too_low", params={"level": source.part.level})
        async with limit:
            told = await source.part.read(asker)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one part is told in its place
        failure = _out_of_time(source) if limit.expired() else _failure(error)
        return _view(source, "failed", asker.language, reason=_reason(failure, asker.language))
    return _view(source, "stale" if told.is_stale else "fresh", asker.language, told)


def _out_of_time(source: Placed) -> LoketError:
    return Unavailable("agency_unavailable" if source.module else "database_unavailable")


def _failure(error: Exception) -> LoketError:
    """Agencies' failures are counted where they are called: a line in the log for each home would tell no more."""
    return Unavailable("agency_unavailable") if isinstance(error, AgencyError) else known(error)


def _reason(failure: LoketError, language: Language) -> PartReason:
    problem = problem_of(failure, language)
    retry_after_s = failure.retry_after_s or (5 if failure.status >= 500 else None)
    return PartReason(problem.code, problem.detail, problem.params, retry_after_s)


def _view(
    source: Placed, state: State, language: Language, told: Told[Any] | None = None, reason: PartReason | None = None
) -> PartView:
    return VIEWS[source.part.kind](
        name=source.name,
        title=text(f"home.{source.name}", language),
        agency=source.agency,
        link=source.part.link,
        state=state,
        as_of=told.as_of if told else None,
        more=told.more if told else False,
        reason=reason,
        items=told.items if told else None,
    )

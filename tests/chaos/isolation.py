"""One agency of three hangs: what becomes of the others. `make isolation` runs it for five minutes.

The same citizens' questions to three agencies at a steady rate, first with all well, then with one that never answers.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import click
import msgspec

from tests.harness.product import Sandboxes, free_port, running_sandboxes, start_command
from tests.harness.servers import running_servers
from tests.harness.tickets import HOSPITAL, PUSKESMAS, open_day

AGENCIES = ("sicantik", "puskesmas", "hospital")
HANGS = "sicantik"
# Of each question the others' share of citizens who were answered, and how much slower the slow ones are.
LEAST_ANSWERED = 0.9995
MOST_SLOWER = 1.2


class Figures(msgspec.Struct, frozen=True):
    """What the agencies that do not hang answered in one phase."""

    asked: int
    answered: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    hanging_slowest_s: float

    @property
    def share(self) -> float:
        return self.answered / max(self.asked, 1)


class Verdict(msgspec.Struct, frozen=True):
    """Both phases, and what they come to."""

    well: Figures
    ill: Figures

    @property
    def answered(self) -> float:
        return self.ill.share

    @property
    def slower(self) -> float:
        return self.ill.p99_ms / self.well.p99_ms

    def table(self) -> str:
        rows = [f"{'phase':8}{'asked':>8}{'answered':>10}{'p50 ms':>9}{'p99 ms':>9}{'slowest of the hanging, s':>28}"]
        for name, seen in (("well", self.well), ("hanging", self.ill)):
            told = f"{seen.p50_ms:>9.1f}{seen.p99_ms:>9.1f}{seen.hanging_slowest_s:>28.2f}"
            rows.append(f"{name:8}{seen.asked:>8}{seen.answered:>10}{told}")
        return "\n".join([*rows, f"others answered {self.answered:.4%}, p99 ratio {self.slower:.2f}"])


class Asked(msgspec.Struct):
    """What became of one agency's questions."""

    seconds: list[float] = []
    failed: int = 0


class Questions:
    """Each question after a licence is a new one, so it goes to the agency that will hang; the others' queues are asked
    for as citizens watch them.

    aiohttp, as httpx looks at each of its connections whenever it picks one: with a hundred of them waiting for the
    hanging agency, the one who measures was what took the others' time.
    """

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._numbers = itertools.count(1)

    async def ask(self, agency: str, into: Asked) -> None:
        began = time.monotonic()
        try:
            async with self._client.get(self._path(agency, next(self._numbers))) as response:
                await response.read()
                good = response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            good = False
        into.seconds.append(time.monotonic() - began)
        into.failed += not good

    def _path(self, agency: str, number: int) -> str:
        if agency == HANGS:
            return f"/v1/permits/check?number=503/{number}/2026"
        facility = PUSKESMAS if agency == "puskesmas" else HOSPITAL
        return f"/v1/health/facilities/{facility}/clinics?date={open_day(facility)}"


@contextmanager
def product() -> Iterator[tuple[str, Sandboxes]]:
    """Servers, sandboxes and one API of its own; the API's address."""
    with tempfile.TemporaryDirectory(prefix="loket-isolation-") as folder, running_servers(0) as servers:
        database = servers.create_database()
        port, sandbox_port = free_port(), free_port()
        environment = {
            "LOKET_DATABASE_URL": database,
            "LOKET_VALKEY_URL": servers.valkey_url,
            "LOKET_DATA_DIR": folder,
            "LOKET_PORT": str(port),
            "LOKET_SANDBOX_PORT": str(sandbox_port),
            "LOKET_LIMITS": "load",
            "LOKET_LOG_LEVEL": "info",
        }
        with running_sandboxes(sandbox_port, Path(folder)) as sandboxes:
            api = start_command("serve", environment=environment, log=Path(folder) / "api.log")
            try:
                api.wait_for("Uvicorn running")
                yield f"http://127.0.0.1:{port}", sandboxes
            finally:
                api.stop()
                servers.drop_database(database)


def measure(seconds: float, per_second: float) -> Verdict:
    """Both phases, each so long, against a product of its own."""
    with product() as (url, sandboxes):
        return asyncio.run(_measure(url, sandboxes, seconds, per_second))


async def _measure(url: str, sandboxes: Sandboxes, seconds: float, per_second: float) -> Verdict:
    async with (
        aiohttp.ClientSession(
            base_url=url, timeout=aiohttp.ClientTimeout(30), connector=aiohttp.TCPConnector(limit=1000)
        ) as client,
        sandboxes.bench(HANGS) as bench,
    ):
        questions = Questions(client)
        await phase(questions, 2.0, per_second)
        well = await phase(questions, seconds, per_second)
        await bench.fault("hang")
        ill = await phase(questions, seconds, per_second)
        await bench.heal()
    return Verdict(well, ill)


async def asking(questions: Questions, seconds: float, per_second: float, turns: Sequence[str]) -> dict[str, Asked]:
    """Ask the agencies in these turns at a steady rate, whatever the answers do; what became of each one's."""
    asked = {agency: Asked() for agency in turns}
    running: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for turn in range(int(seconds * per_second)):
        await asyncio.sleep(max(0.0, began + turn / per_second - time.monotonic()))
        agency = turns[turn % len(turns)]
        task = asyncio.create_task(questions.ask(agency, asked[agency]))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return asked


async def phase(questions: Questions, seconds: float, per_second: float, turns: Sequence[str] = AGENCIES) -> Figures:
    """What the others answered in so long."""
    asked = await asking(questions, seconds, per_second, turns)
    others = [each for agency, each in asked.items() if agency != HANGS]
    times = sorted(second for each in others for second in each.seconds)
    failed = sum(each.failed for each in others)
    return Figures(
        asked=len(times),
        answered=len(times) - failed,
        p50_ms=1000 * statistics.median(times),
        p90_ms=1000 * at(times, 0.90),
        p99_ms=1000 * at(times, 0.99),
        hanging_slowest_s=max(asked[HANGS].seconds),
    )


def at(times: Sequence[float], share: float) -> float:
    """The one of sorted `times` that this share of them is below."""
    return times[min(int(len(times) * share), len(times) - 1)]


@click.command()
@click.option("--seconds", default=300.0, show_default=True, help="How long each phase lasts.")
@click.option("--rate", default=100.0, show_default=True, help="Questions a second, to all together.")
def main(seconds: float, rate: float) -> None:
    """Ask at a steady rate with all agencies well, then with one that hangs."""
    verdict = measure(seconds, rate)
    click.echo(verdict.table())
    if verdict.answered < LEAST_ANSWERED or verdict.slower > MOST_SLOWER:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

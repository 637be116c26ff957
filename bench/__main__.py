"""`python -m bench`: our figures beside the yardsticks, in one run, in turn. A figure missed is told, no more."""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec

from bench import catalogue, ground
from bench.forms import FORM
from bench.load import Plan, generate
from bench.measure import Sample, Server, medians, run
from bench.operations import OPERATIONS, Person, yardstick_requests
from bench.processes import free_port, memory_mb, running, running_servers
from bench.product import Product
from bench.report import Figure, table
from bench.tickets import take_tickets

YARDSTICKS = {"floor": "bench.floor", "fastapi": "bench.fastapi_yardstick"}
IMPORT = "import resource, app.main; use = resource.getrusage(resource.RUSAGE_SELF); print(use.ru_utime + use.ru_stime)"
DELIVERIES_WATCHED_S = 30.0


class Size(msgspec.Struct, frozen=True):
    """How much of everything."""

    cases: int
    rounds: int
    seconds: float


class Bench:
    """One run, on a folder of its own."""

    def __init__(self, size: Size, folder: Path, stack: ExitStack) -> None:
        self.size = size
        self.folder = folder
        self.stack = stack
        self.samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
        self.figures: list[Figure] = []

    def go(self) -> None:
        """Everything, in order."""
        say("PostgreSQL and Valkey start")
        database_url, valkey_url = self.stack.enter_context(running_servers(self.folder))
        yardsticks, ground_people = self.start_yardsticks(database_url, valkey_url)
        product = Product(database_url, valkey_url, self.folder)
        say(f"the product is migrated and seeded with {self.size.cases:,} cases")
        asyncio.run(product.prepare(self.size.cases))
        with product.sandboxes():
            with product.api() as pid:
                self.measure_rounds(product, Server(pid, product.settings.port), yardsticks, ground_people)
                self.figures.append(Figure("memory of the API process after this run", memory_mb(pid), "MB", 180))
            say("one worker delivers to a sandbox that answers in 5 ms")
            rate = asyncio.run(product.delivery_rate(5, DELIVERIES_WATCHED_S))
            self.figures.append(Figure("deliveries of one worker, sandbox of 5 ms", rate, "/s", 300, at_least=True))
        self.measure_catalogue(product)
        self.figures.append(Figure("`import app.main`, compiled files present", import_cpu_s(), "s of CPU", 1.5))

    def start_yardsticks(self, database_url: str, valkey_url: str) -> tuple[dict[str, Server], list[Person]]:
        say(f"the yardsticks are seeded with {self.size.cases:,} cases and start")
        laid = asyncio.run(ground.prepare(database_url, cases=self.size.cases, form=json.dumps(FORM)))
        agency_port = free_port()
        log = self.folder / "yardsticks.log"
        self.stack.enter_context(running(["-m", "bench.agency", str(agency_port), "0"], log=log, port=agency_port))
        servers = {}
        for name, module in YARDSTICKS.items():
            if name == "fastapi" and not find_spec("fastapi"):
                say("fastapi is not installed (`make bench` does that): its column stays empty")
                continue
            port = free_port()
            settings = ground.Settings(port, database_url, valkey_url, laid.public_key, agency_port)
            arguments = ["-m", module, msgspec.json.encode(settings).decode()]
            servers[name] = Server(self.stack.enter_context(running(arguments, log=log, port=port)), port)
        return servers, [Person(reader.token, reader.cases) for reader in laid.readers]

    def measure_rounds(
        self, product: Product, server: Server, yardsticks: dict[str, Server], ground_people: list[Person]
    ) -> None:
        say("one licence is asked for, delivered, worked on and issued")
        with product.worker():
            case = asyncio.run(product.issue_licence())
        say("tickets are taken at a puskesmas, whose queue is then watched")
        clinic, tickets = asyncio.run(take_tickets(product.settings.issuer, asyncio.run(product.people())))
        for number in range(self.size.rounds + 1):
            # The first round only warms caches, pools and plans.
            seconds = self.size.seconds if number else min(1.0, self.size.seconds)
            say(f"round {number} of {self.size.rounds}" if number else "a round to warm up")
            people, issued = asyncio.run(product.people()), asyncio.run(product.issued(case, clinic, tickets))
            for operation in OPERATIONS:
                for name, yardstick in () if operation.beside else yardsticks.items():
                    plan = Plan(yardstick.port, yardstick_requests(operation, ground_people), seconds)
                    self.keep(number, (operation.key, name), run(yardstick, plan))
                plan = asyncio.run(product.plan(operation, people, seconds, issued))
                self.keep(number, (operation.key, "product"), run(server, plan))

    def keep(self, number: int, key: tuple[str, str], sample: Sample) -> None:
        if number:
            self.samples[key].append(sample)

    def measure_catalogue(self, product: Product) -> None:
        say(f"catalogue search with {catalogue.SERVICES:,} services more")
        with product.api(catalogue.copy_tree(self.folder / "tree")):
            plan = Plan(product.settings.port, catalogue.questions(), max(3.0, self.size.seconds), rate_per_s=100)
            found = generate(plan)
        refused = sum(count for status, count in found.statuses.items() if status != "200")
        title = "catalogue search, 2,000 services, 100 requests/s, p95" + (f" ({refused} refused)" if refused else "")
        self.figures.append(Figure(title, found.p95_ms, "ms", 10))


def import_cpu_s() -> float:
    """CPU seconds of importing the product, the median of three after one that compiles."""
    spent = []
    for _ in range(4):
        done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True, text=True)
        spent.append(float(done.stdout))
    return statistics.median(spent[1:])


def say(words: str) -> None:
    print(f"bench: {words}", flush=True)


@click.command()
@click.option("--cases", default=10_000, show_default=True, help="Cases in the database, on both sides.")
@click.option("--rounds", default=3, show_default=True, help="Rounds counted, after one to warm up.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of each measurement.")
@click.option("--keep", is_flag=True, help="Keep the folder with data and logs.")
def main(*, cases: int, rounds: int, seconds: float, keep: bool) -> None:
    """Measure the product against its yardsticks and print one table."""
    folder = Path(tempfile.mkdtemp(prefix="loket-bench-"))
    with ExitStack() as stack:
        if keep:
            say(f"data and logs are in {folder}")
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        bench = Bench(Size(cases, rounds, seconds), folder, stack)
        bench.go()
        print("\n" + table(medians(bench.samples), bench.figures))


if __name__ == "__main__":
    main()

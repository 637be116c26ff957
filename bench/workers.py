"""`python -m bench.workers`: how many times the requests of one worker two can answer, each on a core of its own.

Told from CPU time, so that a machine which has no free cores can tell too: what a request costs the busiest process is
what bounds how many there are in a second. Uneven shares count against two, and so does whatever both do twice.
"""

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from bench.load import Plan, generate
from bench.measure import Server
from bench.operations import OPERATIONS, Operation
from bench.processes import cpu_s_of_each, running_servers
from bench.product import Product

COUNTS = (1, 2)
LEAST_TIMES = 1.8
ASKED = [operation for operation in OPERATIONS if operation.key in ("me", "cases", "case")]
# By operation and number of workers: milliseconds of the busiest process for each request of all.
Costs = Mapping[tuple[str, int], Sequence[float]]


@click.command()
@click.option("--cases", default=10_000, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Rounds counted, after one to warm up.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of each measurement.")
def main(*, cases: int, rounds: int, seconds: float) -> None:
    """Measure and print; a figure missed is marked."""
    costs: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loket-workers-")))
        urls = stack.enter_context(running_servers(folder))
        sides = {count: Product(*urls, folder) for count in COUNTS}
        asyncio.run(sides[1].prepare(cases))
        sides[2].readers = sides[1].readers
        servers = {
            count: Server(stack.enter_context(product.api(workers=count)), product.settings.port)
            for count, product in sides.items()
        }
        for number in range(rounds + 1):
            click.echo(f"round {number} of {rounds}" if number else "a round to warm up")
            for operation, count, plan in _plans(sides, seconds):
                cost = busiest_ms(servers[count], plan)
                if number:
                    costs[operation.key, count].append(cost)
    click.echo("\n" + table(costs))


def _plans(sides: Mapping[int, Product], seconds: float) -> list[tuple[Operation, int, Plan]]:
    """One round. Tokens live for five minutes: a round's are new, and both sides verify them as often."""
    people = {count: asyncio.run(product.people()) for count, product in sides.items()}
    return [
        (operation, count, asyncio.run(product.plan(operation, people[count], seconds)))
        for operation in ASKED
        for count, product in sides.items()
    ]


def busiest_ms(server: Server, plan: Plan) -> float:
    """CPU milliseconds of the tree's busiest process for each request that the tree answered."""
    before = cpu_s_of_each(server.pid)
    outcome = generate(plan)
    after = cpu_s_of_each(server.pid)
    return max(used - before.get(pid, 0.0) for pid, used in after.items()) * 1000 / max(outcome.sent, 1)


def table(costs: Costs) -> str:
    lines = [f"{'operation':<40}{'one worker, ms':>16}{'busiest of two':>16}{'times':>8}"]
    for operation in ASKED:
        one, two = (statistics.median(costs[operation.key, count]) for count in COUNTS)
        met = "met" if one / two >= LEAST_TIMES else "MISSED"
        lines.append(f"{operation.title:<40}{one:>16.3f}{two:>16.3f}{one / two:>8.2f}   at least {LEAST_TIMES}: {met}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

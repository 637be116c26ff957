"""`python -m bench.scale`: a citizen's requests with many cases in the database beside the same with few, in turn."""

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from bench.measure import Sample, Server, run
from bench.operations import OPERATIONS
from bench.processes import running_servers
from bench.product import Product

FEW = 10_000
MOST_TIMES = 1.2
# What a citizen asks of the database; what agencies answer does not depend on its size.
ASKED = [operation for operation in OPERATIONS if operation.key in ("me", "cases", "case", "submit")]
Samples = Mapping[tuple[str, str], Sequence[Sample]]


class Side:
    """One copy of the product on a database of its own."""

    def __init__(self, name: str, cases: int, folder: Path, stack: ExitStack) -> None:
        self.name = name
        folder.mkdir()
        self.product = Product(*stack.enter_context(running_servers(folder)), folder)
        click.echo(f"{cases:,} cases are written")
        asyncio.run(self.product.prepare(cases))
        self.server = Server(stack.enter_context(self.product.api()), self.product.settings.port)


@click.command()
@click.option("--cases", default=1_000_000, show_default=True, help="A tenth as many citizens have them.")
@click.option("--rounds", default=5, show_default=True, help="Rounds counted, after one to warm up.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of each measurement.")
def main(*, cases: int, rounds: int, seconds: float) -> None:
    """Measure and print; a figure missed is marked."""
    samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loket-scale-")))
        sides = [Side("few", FEW, folder / "few", stack), Side("many", cases, folder / "many", stack)]
        for number in range(rounds + 1):
            click.echo(f"round {number} of {rounds}" if number else "a round to warm up")
            # Neither always comes first. Tokens live for five minutes: a round's are new.
            turns = [(side, asyncio.run(side.product.people())) for side in sides[:: 1 if number % 2 else -1]]
            for operation in ASKED:
                for side, people in turns:
                    sample = run(side.server, asyncio.run(side.product.plan(operation, people, seconds)))
                    if number:
                        samples[operation.key, side.name].append(sample)
    click.echo("\n" + table(samples))


def table(samples: Samples) -> str:
    """CPU of the process tree and the median answer's time, each as a multiple."""
    lines = [f"{'operation':<36}{'CPU ms, few':>13}{'many':>9}{'times':>8}{'p50 ms, few':>14}{'many':>9}{'times':>8}"]
    for operation in ASKED:
        few, many = samples[operation.key, "few"], samples[operation.key, "many"]
        cpu = [statistics.median(sample.cpu_ms for sample in side) for side in (few, many)]
        p50 = [statistics.median(sample.outcome.p50_ms for sample in side) for side in (few, many)]
        met = max(cpu[1] / cpu[0], p50[1] / p50[0]) <= MOST_TIMES and not any(each.refused for each in (*few, *many))
        lines.append(
            f"{operation.title:<36}{cpu[0]:>13.3f}{cpu[1]:>9.3f}{cpu[1] / cpu[0]:>8.2f}"
            f"{p50[0]:>14.2f}{p50[1]:>9.2f}{p50[1] / p50[0]:>8.2f}   at most {MOST_TIMES}: {'met' if met else 'MISSED'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

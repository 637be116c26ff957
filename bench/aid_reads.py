"""`python -m bench.aid_reads`: how long one waits for what a household receives, where the agency told it lately and
where it is down. Two members of each household have accounts, so that each look leaves its row in the audit."""

import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from redis import Redis

from app.sandbox.client import HttpWorkbench
from bench.load import Outcome, Plan, generate, request
from bench.processes import running_servers
from bench.product import Product
from bench.seed import Reader, seed_persons, tokens
from integrations.dtsen.households import population

PATH = "/v1/social-aid/entitlements"
BACKEND = "dtsen"
MOST_P95_MS = 15.0
# Less than the agency's system may be asked in a second, so that nobody waits for a turn.
FIRST_ASKED_PER_S = 45.0


@click.command()
@click.option("--households", default=10_000, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="of each measurement")
@click.option("--reads", default=100.0, show_default=True, help="requests a second")
def main(households: int, seconds: float, reads: float) -> None:
    """Run the product on a fresh database, and ask for everybody's household."""
    folder = Path(tempfile.mkdtemp(prefix="loket-aid-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database_url, valkey_url = stack.enter_context(running_servers(folder))
        product = Product(database_url, valkey_url, folder)
        asyncio.run(product.prepare(cases=100))
        readers = asyncio.run(seed_persons(database_url, product.vault, niks_of(households)))[::2]
        click.echo(f"{households:,} households; the agency is asked for each of them once")
        with agency(product, households), product.api():
            first = generate(plan(product, readers, len(readers) / FIRST_ASKED_PER_S + 1, FIRST_ASKED_PER_S))
            tell("asked of the agency", first, asked=False)
            warm = generate(plan(product, readers, seconds, reads))
            tell("told lately", warm)
        forget_freshness(valkey_url)
        with product.api():
            down = generate(plan(product, readers, seconds, reads))
            tell("agency down", down)
    sys.exit(not all(is_good(each) for each in (warm, down)))


def niks_of(households: int) -> list[str]:
    """Two members of each household, one after the other; of a household of one, somebody unknown beside."""
    found = []
    for number, household in enumerate(population(households)):
        members = [member.nik for member in household.members[:2]]
        found += members if len(members) == 2 else [*members, f"99{number:014d}"]
    return found


def messages(access: Sequence[str]) -> list[bytes]:
    return [request("GET", PATH, {"Authorization": f"Bearer {token}"}) for token in access]


def plan(product: Product, readers: Sequence[Reader], seconds: float, rate_per_s: float) -> Plan:
    """Everybody in an order of its own, so that a process seldom has just told the same citizen."""
    settings = product.settings
    access = asyncio.run(tokens(settings.migration_database_url, product.vault, settings.issuer, readers))
    asked = messages(access)
    random.Random(rate_per_s).shuffle(asked)
    return Plan(settings.port, asked, seconds=seconds, rate_per_s=rate_per_s, connections=16)


@contextmanager
def agency(product: Product, households: int) -> Iterator[None]:
    """Its sandbox, knowing so many households."""
    with product.sandboxes():
        asyncio.run(_import(product, households))
        yield


async def _import(product: Product, households: int) -> None:
    async with HttpWorkbench(f"{product.settings.sandbox_url}/{BACKEND}") as bench:
        await bench.work(str(households), "import")


def forget_freshness(valkey_url: str) -> None:
    """What was told is old from now on, as it is some minutes later."""
    with Redis.from_url(valkey_url) as valkey:
        for key in valkey.scan_iter(match="read:*.fresh", count=1_000):
            valkey.delete(key)


def is_good(outcome: Outcome) -> bool:
    return set(outcome.statuses) == {"200"} and outcome.p95_ms <= MOST_P95_MS


def tell(what: str, outcome: Outcome, *, asked: bool = True) -> None:
    goal = f" (asked: {MOST_P95_MS:g} at most)" if asked else ""
    figures = f"p50 {outcome.p50_ms:.1f} ms, p95 {outcome.p95_ms:.1f} ms{goal}, p99 {outcome.p99_ms:.1f} ms"
    click.echo(f"{what}: {figures}; {dict(outcome.statuses)}")


if __name__ == "__main__":
    main()

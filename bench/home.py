"""`python -m bench.home`: how much longer than its slowest source the home takes: six sources of 5 ms each."""

import asyncio
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench.home_api import SOURCES
from bench.load import Outcome, Plan, generate, request
from bench.processes import free_port, running, running_servers
from bench.product import Product

PATH = "/v1/home"
SOURCE_S = 0.005
MOST_ABOVE_MS = 6.0
CASES = 5_000


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="of each measurement")
def main(seconds: float) -> None:
    """Ask a source by itself, then the home, one after the other on one connection."""
    folder = Path(tempfile.mkdtemp(prefix="loket-home-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        product = Product(*stack.enter_context(running_servers(folder)), folder)
        asyncio.run(product.prepare(CASES))
        port, log = free_port(), folder / "home.log"
        stack.enter_context(running(["-m", "bench.agency", str(port), str(SOURCE_S)], log=log, port=port))
        environment = {**product.environment, "LOKET_SICANTIK_URL": f"http://127.0.0.1:{port}"}
        serving = product.settings.port
        stack.enter_context(running(["-m", "bench.home_api"], log=log, port=serving, environment=environment))
        source = generate(Plan(port, [request("GET", "/")], seconds, connections=1))
        tell("a source by itself", source)
        people = asyncio.run(product.people())
        asked = [request("GET", PATH, {"Authorization": f"Bearer {one.token}"}) for one in people]
        home = generate(Plan(serving, asked, seconds, warm_up_s=2.0, connections=1))
        tell(f"the home, {SOURCES} such sources, cases and messages", home)
    above = home.p50_ms - source.p50_ms
    click.echo(f"p50 above the slowest source: {above:.1f} ms (asked: {MOST_ABOVE_MS:g} at most)")
    sys.exit(above > MOST_ABOVE_MS or set(home.statuses) != {"200"})


def tell(what: str, outcome: Outcome) -> None:
    figures = f"p50 {outcome.p50_ms:.1f} ms, p95 {outcome.p95_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms"
    click.echo(f"{what}: {figures}; {dict(outcome.statuses)}")


if __name__ == "__main__":
    main()

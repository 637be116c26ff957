"""`python -m bench.login_storm`: 50 logins a second, and what everybody else feels of it.

The same reads at the same pace, quiet, beside a program of the hashing's low priority that does nothing but count, and
under the storm, in turns; what counts is the median of the rounds' ratios. The second tells how much of the third is
the machine's: on two cores, one that is busy at all is felt.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from app.login.argon import NICENESS
from bench.accounts import PASSWORD, make_accounts, person
from bench.load import Outcome, Plan, generate, request
from bench.processes import running_servers
from bench.product import Product

LOGINS_PER_S = 50.0
MOST_RATIO = 1.2
STORM_RISES_S = 2.0
PATHS = ("/v1/me", "/v1/cases?limit=20", "/v1/services?limit=20")


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=12.0, show_default=True, help="of each measurement")
@click.option("--reads", default=100.0, show_default=True, help="other requests a second")
def main(rounds: int, seconds: float, reads: float) -> None:
    """Run the product, with and without the storm."""
    folder = Path(tempfile.mkdtemp(prefix="loket-storm-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        product = Product(*stack.enter_context(running_servers(folder)), folder)
        asyncio.run(product.prepare(cases=2_000))
        known = asyncio.run(make_accounts(product.settings.database_url, product.vault, 200, 2))
        stack.enter_context(product.api())
        port = product.settings.port
        ratios, busy_ratios = [], []
        storming = logins([each.nik for each in known])
        for number in range(rounds):
            tokens = [each.token for each in asyncio.run(product.people())]
            messages = [
                request("GET", path, {"Authorization": f"Bearer {token}"}) for token in tokens for path in PATHS
            ]
            reading = Plan(port, messages, seconds=seconds, rate_per_s=reads)
            # More connections than may wait at the door: people do not queue up behind each other's telephones.
            storm = Plan(port, storming, seconds=seconds + STORM_RISES_S, rate_per_s=LOGINS_PER_S, connections=200)
            quiet = generate(reading)
            with a_busy_core():
                busy_ratios.append(generate(reading).p99_ms / quiet.p99_ms)
            with ThreadPoolExecutor(1) as beside:
                stormed = beside.submit(generate, storm)
                time.sleep(STORM_RISES_S)  # its own start is not what is measured
                stormy = generate(reading)
                ratios.append(stormy.p99_ms / quiet.p99_ms)
                tell(number, quiet, stormy, stormed.result())
    ratio, busy = statistics.median(ratios), statistics.median(busy_ratios)
    click.echo(
        f"p99 of other requests under {LOGINS_PER_S:g} logins a second: {ratio:.2f} of the quiet (asked: {MOST_RATIO}),"
        f" beside a core that only counts {busy:.2f}"
    )
    sys.exit(ratio > MOST_RATIO)


@contextmanager
def a_busy_core() -> Iterator[None]:
    counting = subprocess.Popen([sys.executable, "-c", f"import os\nos.nice({NICENESS})\nwhile True: pass"])
    try:
        yield
    finally:
        counting.kill()
        counting.wait()


def logins(known: list[str]) -> list[bytes]:
    """Right and wrong passwords, people with an account and without."""
    strangers = [person(200_000 + number).nik for number in range(len(known))]
    bodies = [
        {"nik": nik, "password": password}
        for pair in zip(known, strangers, strict=True)
        for nik, password in ((pair[0], PASSWORD), (pair[1], PASSWORD), (pair[0], "Salah-Sekali-9"))
    ]
    return [request("POST", "/v1/login/sessions", body=json.dumps(body).encode()) for body in bodies]


def tell(number: int, quiet: Outcome, stormy: Outcome, storm: Outcome) -> None:
    click.echo(
        f"round {number + 1}: p99 {quiet.p99_ms:.1f} ms quiet, {stormy.p99_ms:.1f} ms in the storm "
        f"(median {quiet.p50_ms:.1f} and {stormy.p50_ms:.1f}); reads {dict(stormy.statuses)}, "
        f"logins {dict(storm.statuses)}, their median {storm.p50_ms:.0f} ms"
    )


if __name__ == "__main__":
    main()

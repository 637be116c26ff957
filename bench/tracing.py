"""`python -m bench.tracing`: what traces cost a request, off, of one in a hundred and of all, side by side; and what
all that watches a request costs it together."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click
import uvloop
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.assembly import open_tracing
from app.settings import Settings
from app.telemetry import Telemetry
from app.tracing import span
from bench.load import Plan
from bench.measure import Median, Sample, Server, medians, run
from bench.operations import OPERATIONS, Issued, Operation, Person, product_requests, submissions
from bench.processes import free_port, running, running_servers
from bench.product import Product

MEASURED = [operation for operation in OPERATIONS if operation.key in ("me", "cases", "case", "submit")]
SUBMISSIONS_PER_S = 1_500
MOST_WATCHING_US = 60.0
CALLS = 20_000
# What is waited for in a light request: a connection, and Valkey once.
PARTS = 2


@click.command()
@click.option("--cases", default=10_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=3.0, show_default=True, help="of each measurement")
def main(cases: int, rounds: int, seconds: float) -> None:
    """Run the product three times on one fresh database, and ask each in turn."""
    folder = Path(tempfile.mkdtemp(prefix="loket-tracing-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        collector = stack.enter_context(collecting(folder))
        watching = [tell_watching(name, more) for name, more in variants(collector).items()]
        product = Product(*stack.enter_context(running_servers(folder)), folder)
        asyncio.run(product.prepare(cases))
        servers = {name: stack.enter_context(serving(product, more)) for name, more in variants(collector).items()}
        tell(medians(measured(product, servers, rounds, seconds)))
    sys.exit(max(watching[:2]) > MOST_WATCHING_US)


@contextmanager
def collecting(folder: Path) -> Iterator[str]:
    port = free_port()
    with running(["-m", "bench.collector", str(port)], log=folder / "collector.log", port=port):
        yield f"http://127.0.0.1:{port}"


def variants(collector: str) -> Mapping[str, Mapping[str, str]]:
    told = {"LOKET_OTLP_URL": collector, "LOKET_TRACE_SLOW_S": "600"}
    return {"off": {}, "1 %": told | {"LOKET_TRACE_RATIO": "0.01"}, "100 %": told | {"LOKET_TRACE_RATIO": "1"}}


@contextmanager
def serving(product: Product, more: Mapping[str, str]) -> Iterator[Server]:
    """One more API of the product, on a port of its own."""
    port = free_port()
    environment = product.environment | {"LOKET_PORT": str(port), "LOKET_PUBLIC_URL": product.settings.issuer, **more}
    log = product.folder / f"serve-{port}.log"
    with running(["-m", "app.cli", "serve"], log=log, port=port, environment=environment) as pid:
        yield Server(pid, port)


def measured(
    product: Product, servers: Mapping[str, Server], rounds: int, seconds: float
) -> Mapping[tuple[str, str], Sequence[Sample]]:
    samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for number in range(rounds + 1):
        # The first round only warms caches, pools and plans.
        click.echo(f"round {number} of {rounds}" if number else "a round to warm up")
        people = asyncio.run(product.people())
        for operation in MEASURED:
            for name, server in servers.items():
                asked = plan(product, people, operation, seconds if number else min(1.0, seconds))
                sample = run(server, Plan(server.port, asked.requests, asked.seconds, once=asked.once))
                if number:
                    samples[operation.key, name].append(sample)
    return samples


def plan(product: Product, people: Sequence[Person], operation: Operation, seconds: float) -> Plan:
    if operation.uses_up:
        used = asyncio.run(product.upload(int(SUBMISSIONS_PER_S * (seconds + 0.5))))
        return Plan(0, submissions(people, used), seconds, once=True)
    nothing = Issued("", people[0].cases[0], "")
    return Plan(0, product_requests(operation, people, nothing), seconds)


def tell(found: Mapping[tuple[str, str], Median]) -> None:
    click.echo("CPU seconds per 1,000 requests, beside those with traces off; p99 in ms:")
    for operation in MEASURED:
        off = found[operation.key, "off"]
        for name in ("off", "1 %", "100 %"):
            one = found[operation.key, name]
            more = f"x {one.cpu_ms / off.cpu_ms:.2f}, {(one.cpu_ms - off.cpu_ms) * 1000:+.0f} µs"
            refused = f"  {one.refused} REFUSED" if one.refused else ""
            click.echo(f"  {operation.title:<40}{name:>6}{one.cpu_ms:>9.3f}  {more:<18}p99 {one.p99_ms:.1f}{refused}")


def tell_watching(name: str, more: Mapping[str, str]) -> float:
    """Microseconds of CPU that id, headers, log line, metrics and traces cost a request, all threads together."""
    settings = Settings(otlp_url=more.get("LOKET_OTLP_URL", ""), trace_ratio=float(more.get("LOKET_TRACE_RATIO", 0)))
    bare = uvloop.run(_spent(_answer))
    tracing = open_tracing(settings, "bench")
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        watched = uvloop.run(_spent(Telemetry(_answer, settings, tracing)))
    if tracing is not None:
        tracing.close()
    cost = (watched - bare) * 1e6 / CALLS
    click.echo(f"all that watches a request, traces {name}: {cost:.1f} µs (asked: {MOST_WATCHING_US:g} at most at 1 %)")
    return cost


async def _spent(app: ASGIApp) -> float:
    """CPU seconds of so many requests."""
    began = time.process_time()
    for _ in range(CALLS):
        await app(_scope(), _receive, _send)
    return time.process_time() - began


def _scope() -> Any:
    return {"type": "http", "method": "GET", "path": "/v1/me", "headers": _HEADERS, "state": {}}


async def _answer(scope: Scope, _receive: Receive, send: Send) -> None:
    scope["path_template"] = "/v1/me"
    for _ in range(PARTS):
        with span("postgresql", "client") as part:
            part.reached("loket.pool_wait_ms")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}", "more_body": False})


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: Message) -> None:
    pass


# As an app sends them, through a proxy.
_HEADERS = [(f"x-header-{number}".encode(), b"as long as most of them are") for number in range(12)]

if __name__ == "__main__":
    main()

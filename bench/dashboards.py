"""`python -m bench.dashboards --cases 1000000`: the time of every page of officers while citizens ask 50 times a
second, and how much memory a worker needs to export every case."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import click
from sqlalchemy import select

from app.database import Database
from app.demo import seed as make_people
from app.discovery import route_handlers
from app.history.seeding import Past, write_history
from app.login.officers.browsers import SESSION
from app.login.officers.demo import demo_officer_token
from app.login.officers.models import OfficerAccount
from app.login.officers.sessions import Place, open_officer_session
from bench.load import Plan, generate, request
from bench.processes import memory_mb, running_servers
from bench.product import Product

CITIZENS_PER_S = 50.0
MOST_MS, MOST_MB = 150.0, 100.0
CITIZENS_ASK = ("/v1/me", "/v1/cases?limit=20", "/v1/services?limit=20")
OFFICERS = ("admin.diskominfo", "supervisor.dpmptsp", "auditor")
HANDED_IN_SINCE = "2020-01-01"


@click.command()
@click.option("--cases", default=100_000, show_default=True)
@click.option("--rounds", default=30, show_default=True, help="How often each page is asked for.")
def main(cases: int, rounds: int) -> None:
    """Measure and print; a figure missed is marked."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loket-dashboards-")))
        product = Product(*stack.enter_context(running_servers(folder)), folder)
        asyncio.run(product.prepare(cases=2_000))
        asyncio.run(make_people(product.settings))
        asyncio.run(write_history(product.settings, Past(cases), click.echo))
        with product.api():
            asyncio.run(measure_pages(product, rounds))
            with product.worker() as worker:
                asyncio.run(measure_exports(product, worker))


async def measure_pages(product: Product, rounds: int) -> None:
    """Each page, as each officer who may see it, beside citizens' own requests."""
    cookies = await _cookies(product)
    people = await product.people()
    asked = [request("GET", path, {"Authorization": f"Bearer {one.token}"}) for one in people for path in CITIZENS_ASK]
    with ThreadPoolExecutor(1) as beside:
        seconds = 4.0 * rounds
        citizens = beside.submit(
            generate, Plan(product.settings.port, asked, seconds=seconds, rate_per_s=CITIZENS_PER_S)
        )
        until = time.monotonic() + seconds
        async with aiohttp.ClientSession(product.settings.issuer) as session:
            for path in pages():
                for officer, cookie in cookies.items():
                    if time.monotonic() < until:
                        await _measure_page(session, path, (officer, cookie), rounds)
        felt = citizens.result()
    click.echo(f"citizens meanwhile: p50 {felt.p50_ms:.1f} ms, p99 {felt.p99_ms:.1f} ms")


def pages() -> Sequence[str]:
    """Every page that needs no id."""
    found = {
        path
        for handler in route_handlers()
        if handler.opt.get("permission") == "officer_page" and "GET" in handler.http_methods
        for path in handler.paths
        if "{" not in path
    }
    return sorted({*found, "/dashboard/figures?grain=week"})


async def measure_exports(product: Product, worker: int) -> None:
    """All cases as CSV and as a workbook; how much more memory the worker had than before."""
    database = Database(product.settings.database_url, pool_size=1, name="bench")
    token = await demo_officer_token(database, product.vault, product.settings, "admin.diskominfo")
    await database.close()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(product.settings.issuer, headers=headers) as session:
        # The first brings the worker up to what it needs anyway.
        await _export(session, worker, {"kind": "survey"})
        for kind in ("csv", "xlsx"):
            before, began = memory_mb(worker), time.monotonic()
            wanted = {"kind": "cases", "format": kind, "from_on": HANDED_IN_SINCE}
            shown, most = await _export(session, worker, wanted)
            more = most - before
            click.echo(
                f"{shown['state']}: {shown['rows_done']:,} rows as {kind}, {shown['size'] / 1e6:.1f} MB in "
                f"{time.monotonic() - began:.0f} s; the worker grew by {more:.0f} MB to {most:.0f} MB"
                f"{_missed(more > MOST_MB, f'{MOST_MB:.0f} MB more')}"
            )


async def _export(session: aiohttp.ClientSession, worker: int, wanted: dict[str, str]) -> tuple[dict[str, Any], float]:
    """One export from asking to its end, and the most memory meanwhile."""
    most = 0.0
    async with session.post("/v1/officer/exports", json=wanted) as answer:
        shown: dict[str, Any] = await answer.json()
    while shown["state"] in ("queued", "running"):
        await asyncio.sleep(0.2)
        most = max(most, memory_mb(worker))
        async with session.get(f"/v1/officer/exports/{shown['id']}") as answer:
            shown = await answer.json()
    return shown, most


async def _measure_page(session: aiohttp.ClientSession, path: str, who: tuple[str, str], rounds: int) -> None:
    times_ms: list[float] = []
    status = 0
    for _ in range(rounds):
        began = time.perf_counter()
        async with session.get(path, headers={"Cookie": f"{SESSION}={who[1]}"}, allow_redirects=False) as answer:
            await answer.read()
        if (status := answer.status) == 403:
            return
        times_ms.append((time.perf_counter() - began) * 1000)
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    missed = _missed(p95 > MOST_MS, f"{MOST_MS:.0f} ms")
    click.echo(f"{path:45} {who[0]:20} {status} p50 {statistics.median(times_ms):6.1f} ms, p95 {p95:6.1f} ms{missed}")


async def _cookies(product: Product) -> dict[str, str]:
    database = Database(product.settings.database_url, pool_size=1, name="bench")
    try:
        async with database.transaction() as session:
            found = await session.execute(select(OfficerAccount.id, OfficerAccount.name))
            known = {name: officer_id for officer_id, name in found if name in OFFICERS}
            return {
                name: open_officer_session(session, product.vault, known[name], "page", Place("bench", "")).cookie
                for name in OFFICERS
            }
    finally:
        await database.close()


def _missed(is_missed: bool, asked: str) -> str:  # noqa: FBT001 - a yes or no
    return f"  MISSED: at most {asked}" if is_missed else ""


if __name__ == "__main__":
    main()

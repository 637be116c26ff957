"""`python -m bench.dashboards --cases 1000000`: the time of every page of officers while citizens ask 50 times a
second, and how much memory a worker needs to export every case. With `--folder` a seeded database is kept for later."""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import aiohttp
import click
import msgspec
from sqlalchemy import select

from app.database import Database
from app.demo import seed as make_people
from app.discovery import route_handlers
from app.embedded import SERVING_ROLE
from app.history.seeding import Past, write_history
from app.login.officers.browsers import SESSION
from app.login.officers.demo import demo_officer_token
from app.login.officers.models import OfficerAccount
from app.login.officers.sessions import Place, open_officer_session
from app.migrate import upgrade
from bench.load import Outcome, Plan, generate, request
from bench.past import write_surroundings
from bench.processes import memory_mb, running_servers
from bench.product import Product
from bench.seed import Reader

CITIZENS_PER_S, CITIZENS_S = 50.0, 20.0
MOST_MS, MOST_MB = 150.0, 100.0
CITIZENS_ASK = ("/v1/me", "/v1/cases?limit=20", "/v1/services?limit=20")
OFFICERS = ("admin.diskominfo", "supervisor.dpmptsp", "auditor")
FURTHER = (
    "/dashboard/audit/readings?actor=sicantik",
    "/dashboard/audit?action=case.sent",
    "/dashboard/audit?actor=sicantik",
    "/dashboard/cases?assignee=nobody",
    "/dashboard/cases?clock=late",
    "/dashboard/cases?clock=soon_late",
    "/dashboard/cases?delivery=needs_operator",
    "/dashboard/cases?service=outdoor-advertising",
    "/dashboard/cases?status=needs_citizen",
    "/dashboard/city/services/outdoor-advertising",
    "/dashboard/city?grain=week",
    "/dashboard/figures/survey?months=36",
    "/dashboard/figures?grain=week",
    "/dashboard/figures?service=outdoor-advertising",
    "/dashboard/systems/sicantik",
)
HANDED_IN_SINCE = "2020-01-01"


@click.command()
@click.option("--cases", default=100_000, show_default=True)
@click.option("--rounds", default=30, show_default=True, help="How often each page is asked for.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the database there, or use the one kept there.")
@click.option("--only", default="", help="Pages whose address has this in it; exports are left out then.")
def main(cases: int, rounds: int, folder: Path | None, only: str) -> None:
    """Measure and print; a figure missed is marked."""
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="loket-dashboards-"))
        place = folder.resolve() if folder else Path(made)
        product = Product(*stack.enter_context(running_servers(place)), place)
        asyncio.run(prepare(product, cases))
        with product.api():
            asyncio.run(measure_pages(product, rounds, only))
            if not only:
                with product.worker() as worker:
                    asyncio.run(measure_exports(product, worker))


async def prepare(product: Product, cases: int) -> None:
    """Seed; or bring what is kept to the newest migration. Who reads stands beside the database once it is whole."""
    kept = product.folder / "readers.json"
    if kept.exists():
        await upgrade(product.settings.migration_database_url, SERVING_ROLE)
        product.readers = msgspec.json.decode(kept.read_bytes(), type=list[Reader])
        return
    await product.prepare(cases=2_000)
    await make_people(product.settings)
    await write_history(product.settings, Past(cases), click.echo)
    click.echo("writing the record and agencies' systems")
    await write_surroundings(product.settings)
    kept.write_bytes(msgspec.json.encode(product.readers))


async def measure_pages(product: Product, rounds: int, only: str = "") -> None:
    """Each page, as each officer who may see it, beside citizens' own requests."""
    cookies = await _cookies(product)
    over = Event()
    with ThreadPoolExecutor(1) as beside:
        citizens = beside.submit(_ask_as_citizens, product, over)
        try:
            async with aiohttp.ClientSession(product.settings.issuer) as session:
                for path in pages():
                    for officer, cookie in cookies.items():
                        if only in path and not citizens.done():
                            await _measure_page(session, path, (officer, cookie), rounds)
        finally:
            over.set()
        felt = citizens.result()
    worst = max(each.p99_ms for each in felt)
    median = statistics.median(each.p50_ms for each in felt)
    statuses = sum((Counter(each.statuses) for each in felt), Counter[str]())
    click.echo(f"citizens meanwhile: p50 {median:.1f} ms, p99 at worst {worst:.1f} ms, {dict(statuses)}")


def _ask_as_citizens(product: Product, over: Event) -> list[Outcome]:
    """At the same pace until it is over, each time with fresh tokens."""
    felt: list[Outcome] = []
    while not felt or not over.is_set():
        people = asyncio.run(product.people())
        asked = [
            request("GET", path, {"Authorization": f"Bearer {one.token}"}) for one in people for path in CITIZENS_ASK
        ]
        plan = Plan(product.settings.port, asked, seconds=CITIZENS_S, rate_per_s=CITIZENS_PER_S)
        felt.append(generate(plan))
    return felt


def pages() -> Sequence[str]:
    """Every page that needs no id, and what filters and single things make of them."""
    found = {
        path
        for handler in route_handlers()
        if handler.opt.get("permission") == "officer_page" and "GET" in handler.http_methods
        for path in handler.paths
        if "{" not in path
    }
    return sorted({*found, *FURTHER})


async def measure_exports(product: Product, worker: int) -> None:
    """All cases as CSV and as a workbook, and the record; how much more memory the worker had than before."""
    # The first brings the worker up to what it needs anyway.
    await _export(product, worker, "admin.diskominfo", {"kind": "survey"})
    for kind in ("csv", "xlsx"):
        wanted = {"kind": "cases", "format": kind, "from_on": HANDED_IN_SINCE}
        await _measure_export(product, worker, "admin.diskominfo", wanted)
    await _measure_export(product, worker, "auditor", {"format": "csv"})


async def _measure_export(product: Product, worker: int, officer: str, wanted: dict[str, str]) -> None:
    before, began = memory_mb(worker), time.monotonic()
    shown, most = await _export(product, worker, officer, wanted)
    more = most - before
    click.echo(
        f"{shown['state']}: {shown['rows_done']:,} rows of {shown['kind']} as {shown['format']}, "
        f"{shown['size'] / 1e6:.1f} MB in {time.monotonic() - began:.0f} s; the worker grew by {more:.0f} MB to "
        f"{most:.0f} MB{_missed(more > MOST_MB, f'{MOST_MB:.0f} MB more')}"
    )


async def _export(product: Product, worker: int, officer: str, wanted: dict[str, str]) -> tuple[dict[str, Any], float]:
    """One export from asking to its end, and the most memory meanwhile. Deleted at the end: a kept folder fills up."""
    most = 0.0
    place = "/v1/officer/audit/exports" if officer == "auditor" else "/v1/officer/exports"
    async with aiohttp.ClientSession(product.settings.issuer) as session:
        headers = await _token(product, officer)
        asking = {**headers, "Idempotency-Key": str(uuid4())}
        async with session.post(place, json=wanted, headers=asking) as answer:
            shown: dict[str, Any] = await answer.json()
        while shown["state"] in ("queued", "running"):
            await asyncio.sleep(0.2)
            most = max(most, memory_mb(worker))
            async with session.get(f"/v1/officer/exports/{shown['id']}", headers=headers) as answer:
                if answer.status == 401:
                    headers = await _token(product, officer)
                    continue
                shown = await answer.json()
        await session.delete(f"/v1/officer/exports/{shown['id']}", headers=headers)
    return shown, most


async def _token(product: Product, officer: str) -> dict[str, str]:
    database = Database(product.settings.database_url, pool_size=1, name="bench")
    try:
        return {
            "Authorization": f"Bearer {await demo_officer_token(database, product.vault, product.settings, officer)}"
        }
    finally:
        await database.close()


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
    click.echo(f"{path:46} {who[0]:18} {status} p50 {statistics.median(times_ms):6.1f} ms, p95 {p95:6.1f} ms{missed}")


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

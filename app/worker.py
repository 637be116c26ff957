"""A worker process: deliveries, messages, asking after cases, sweeping and purging. Many may run side by side."""

import asyncio
import functools
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import uvloop

from app.assembly import Product, build, open_tracing
from app.audit.anchor_file import anchor_file
from app.audit.keeping import keep_audit
from app.backends.actions import QUEUE_PREFIX
from app.backends.measuring import purge_measured
from app.callbacks import actions as callbacks
from app.callbacks import strays
from app.cases.delivery import Deliverer, Share
from app.cases.giving_up import give_up
from app.cases.handover import DeliveryJob
from app.cases.refresh import Refresher
from app.cases.sweep import purge_cases, sweep_deliveries
from app.dashboards.auditing import checks
from app.dashboards.city.evidence import EVERY_S as MEASURE_EVERY_S
from app.dashboards.city.evidence import measure_services
from app.dashboards.exports.keeping import purge_exports
from app.dashboards.exports.making import Maker
from app.dashboards.figures.counting import count_figures
from app.dashboards.queue.escalation import escalate
from app.database import AWAY, Connection, driver_url
from app.delegations import jobs as delegations
from app.external import words_for
from app.gauges import tell_waiting
from app.inbox import jobs as inbox
from app.jobs import LEASE_S, LOOK_EVERY_S, Queue, purge_log, run_queues
from app.keyring.standing import require_standing_keys
from app.login import identity_checks, recovery
from app.login import jobs as login
from app.login.phone_changes import settle_phone_changes
from app.login.provider import backchannel
from app.metrics import serve_metrics
from app.pooling import wait_for_own_connections
from app.processes import freeze_heap
from app.readiness.beats import beat
from app.rights import jobs as rights
from app.roles import warn_of_one_role
from app.settings import settings
from app.tasks import end
from app.tracing import Tracing

log = logging.getLogger("loket.worker")

SWEEP_EVERY_S = 15.0
LOGOUTS_EVERY_S = 5.0
FIGURES_EVERY_S = 10.0
# Jobs taken from a backend's queue for each place at it, over all workers: enough that nobody waits for the queue's
# next look, few enough that an agency that hangs holds no more than these.
TAKEN_AHEAD = 16
BATCH = 64
AGAIN_S = 1.0
PURGE_EVERY_S = 3600.0
# Clocks run in days: nobody notices a quarter of an hour.
ESCALATE_EVERY_S = 900.0
# What the job engine notes of its jobs may be lost when PostgreSQL itself crashes: then a job runs once more, and finds
# in its own row that there is nothing to do. So nobody waits for the disk here.
_QUEUE_SETTINGS = {"application_name": "loket-worker-jobs", "synchronous_commit": "off"}


def main() -> None:
    """Work until told to stop; what is under way is finished first. When the database is lost all begins anew, with a
    clean slate but in this process: a new one would take seconds to come up."""
    product = build(settings(), "worker")
    tracing = open_tracing(settings(), "worker")
    serve_metrics(settings())
    freeze_heap()
    lost = False
    while not worked(product, tracing, lost=lost):
        lost = True
        product = build(settings(), "worker")
    if tracing is not None:
        tracing.close()


def worked(product: Product, tracing: Tracing | None, *, lost: bool) -> bool:
    """Whether it worked until it was told to stop; False where there is no database. One that was there before and is
    `lost` is waited for however long it takes; one that never was is somebody's mistake, and raised."""
    try:
        if uvloop.run(work(product, tracing)):
            return True
        log.warning("the database was lost; beginning anew")
    except AWAY as error:
        if not lost:
            raise
        log.warning("the database is still away: %s", words_for(error, product.settings) or type(error).__name__)
        time.sleep(AGAIN_S)
    return False


async def work(product: Product, tracing: Tracing | None = None) -> bool:
    """Run every queue and every recurring task of the product, until told to stop. False: the database was lost."""
    try:
        connection = await _connected(product)
    except BaseException:
        await product.close()
        raise
    if not product.settings.is_demo:
        await warn_of_one_role(product.database)
    await product.valkey.start()
    await product.backends.controls.open()
    jobs = await run_queues(connection, _queues(product), tracing)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, jobs.shutdown.set)
    tasks = [asyncio.create_task(task, name=name) for name, task in _recurring(product).items()]
    log.info("worker ready: %d queues", len(jobs.qm.entrypoint_registry))
    try:
        await jobs.run(timedelta(seconds=LOOK_EVERY_S), batch_size=BATCH, heartbeat_timeout=timedelta(seconds=LEASE_S))
        return True
    except Exception:
        if not connection.is_closed():
            raise
        return False
    finally:
        await end(*tasks)
        await product.close()
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            await connection.close(timeout=2)


async def _connected(product: Product) -> Connection:
    """The queue's connection, once PostgreSQL can be asked and is ours."""
    await wait_for_own_connections(product.database)
    await require_standing_keys(product.database, product.vault)
    return await asyncpg.connect(driver_url(product.settings.database_url), timeout=10, server_settings=_QUEUE_SETTINGS)


def _queues(product: Product) -> Sequence[Queue[Any]]:
    clients = product.found.clients
    manifests = {backend: clients[backend].manifest for backend in _backends(product)}
    shares = {name: Share(manifest.concurrency, manifest.submits_per_second) for name, manifest in manifests.items()}
    deliverer = Deliverer(product.cases, shares)
    deliveries = [
        Queue(QUEUE_PREFIX + backend, DeliveryJob, functools.partial(deliverer.run, backend), own.places * TAKEN_AHEAD)
        for backend, own in shares.items()
    ]
    return [
        *deliveries,
        *inbox.queues(product.database, product.vault, product.found.channels, product.catalog.timezone),
        *backchannel.queues(product.gate),
        recovery.queue(product.gate),
        delegations.queue(product.database),
        checks.queue(product.settings),
        Maker(product.cases, product.settings.data_dir / "exports").queue(),
        *identity_checks.queues(product.gate),
        *rights.queues(product.gate, product.cases),
    ]


def _recurring(product: Product) -> dict[str, Coroutine[Any, Any, None]]:
    demo = product.settings.is_demo
    anchors = [anchor_file(product.settings)]
    return {
        "beat": lasting("beat", functools.partial(beat, product.database)),
        "audit": lasting("audit", functools.partial(keep_audit, product.database, anchors)),
        "sweep": _every(SWEEP_EVERY_S, _sweep, product),
        "logouts": _every(LOGOUTS_EVERY_S, _tell_logouts, product),
        "figures": _every(FIGURES_EVERY_S, _count_figures, product),
        "maturity": _every(MEASURE_EVERY_S, _measure_services, product),
        "gauges": _every(SWEEP_EVERY_S, _tell_waiting, product),
        "purge": _every(PURGE_EVERY_S, _purge, product),
        "escalate": _every(ESCALATE_EVERY_S, _escalate, product),
        **{
            f"refresh.{backend}": lasting(backend, Refresher(backend, policy, product.cases, demo=demo).run)
            for backend in _backends(product)
            if (policy := product.found.clients[backend].manifest.poll) is not None
        },
    }


def _backends(product: Product) -> list[str]:
    """Every system that cases go to."""
    return sorted({backend for module in product.found.modules.values() for backend in module.backends.values()})


async def lasting(name: str, task: Callable[[], Awaitable[None]]) -> None:
    """`task`, which ends with the worker, and begins anew where something nobody foresaw ends it sooner: nothing else
    would tell that there is no sign of life, no link of the audit or no asking after cases any more."""
    while True:
        try:
            await task()
        except Exception:
            log.exception("%s ended in a way nobody foresaw, and begins anew", name)
        await asyncio.sleep(AGAIN_S)


async def in_turn(*steps: Callable[[], Awaitable[object]]) -> None:
    """Each, whatever becomes of those before: a bucket that is away must not keep sessions from being purged."""
    for step in steps:
        try:
            await step()
        except Exception:
            log.exception("one of several could not be done now")


async def _every(seconds: float, task: Callable[[Product], Awaitable[None]], product: Product) -> None:
    while True:
        try:
            await task(product)
        except Exception:
            # Whatever it was: a task that ends here would not run again until this worker is started anew.
            log.exception("%s could not run now", getattr(task, "__name__", "task"))
        await asyncio.sleep(seconds)


async def _sweep(product: Product) -> None:
    await in_turn(
        functools.partial(sweep_deliveries, product.cases),
        functools.partial(give_up, product.cases),
        functools.partial(settle_phone_changes, product.gate),
        functools.partial(strays.match, product.database),
        functools.partial(rights.sweep, product.cases, product.settings),
    )


async def _tell_logouts(product: Product) -> None:
    await backchannel.sweep(product.database)


async def _tell_waiting(product: Product) -> None:
    await tell_waiting(product.database)


async def _escalate(product: Product) -> None:
    await escalate(product.cases)


async def _count_figures(product: Product) -> None:
    await count_figures(product.database, product.catalog)


async def _measure_services(product: Product) -> None:
    await measure_services(product.database, product.cases.systems)


async def _purge(product: Product) -> None:
    await in_turn(
        functools.partial(purge_cases, product.cases),
        functools.partial(inbox.purge, product.database),
        functools.partial(callbacks.purge, product.database),
        functools.partial(purge_exports, product.cases),
        functools.partial(login.purge, product.database),
        functools.partial(identity_checks.sweep, product.database),
        functools.partial(purge_log, product.database),
        functools.partial(rights.purge, product.cases),
        functools.partial(purge_measured, product.database),
    )

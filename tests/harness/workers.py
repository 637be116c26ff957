"""A worker's deliveries in the test's own process, at a pace the test declares; for all else there are real workers."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from app.assembly import Product
from app.cases.delivery import Deliverer, Share
from app.cases.handover import DeliveryJob
from app.database import driver_url
from app.jobs import Queue, run_queues


@asynccontextmanager
async def delivering(product: Product, backend: str, share: Share) -> AsyncIterator[None]:
    """Deliveries to one backend run while the block does."""
    connection = await asyncpg.connect(driver_url(product.settings.database_url))
    deliverer = Deliverer(product.cases, {backend: share})
    run = functools.partial(deliverer.run, backend)
    jobs = await run_queues(connection, [Queue(f"deliver.{backend}", DeliveryJob, run, share.places * 16)])
    working = asyncio.create_task(
        jobs.run(timedelta(seconds=1), batch_size=64, heartbeat_timeout=timedelta(seconds=10))
    )
    try:
        yield
    finally:
        jobs.shutdown.set()
        await working
        await connection.close()

"""`loket audit verify`: the chain against its rows and against the anchors of this data folder."""

import time

import asyncpg

from app.audit.anchor_file import anchor_file
from app.audit.port import AnchorBroken
from app.audit.verify import verify
from app.database import driver_url
from app.settings import Settings


async def check(settings: Settings) -> tuple[str, bool]:
    """What was found, in words, and whether all of it is whole."""
    begun = time.monotonic()
    try:
        anchors = await anchor_file(settings).anchored()
    except AnchorBroken as broken:
        return f"broken: {broken}", False
    connection = await asyncpg.connect(driver_url(settings.database_url), timeout=5)
    try:
        report = await verify(connection, anchors)
    finally:
        await connection.close()
    if report.fault:
        return f"broken: {report.fault.words}", False
    seconds = time.monotonic() - begun
    return f"whole: {report.head.position} rows, {report.anchors} anchors agree ({seconds:.1f} s)", True

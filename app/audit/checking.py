"""`loket audit verify`: the chain against its rows and against the anchors of this data folder; and an exported access
log against both."""

import time
from collections.abc import Awaitable, Callable

import asyncpg

from app.audit.anchor_file import anchor_file
from app.audit.evidence import NotProven, check_export, read_export
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
    place = settings.data_dir / "audit"
    agree = f"{report.anchors} anchors agree" if report.anchors else f"but no anchor in {place} vouches for it"
    return f"whole: {report.head.position} rows, {agree} ({seconds:.1f} s)", True


async def check_exported(settings: Settings, exported: bytes) -> tuple[str, bool]:
    """The same for an export: its lines by themselves, then as links of the chain, then the whole chain."""
    try:
        evidence = read_export(exported.splitlines(), anchor_file(settings).proven)
        connection = await asyncpg.connect(driver_url(settings.database_url), timeout=5)
        try:
            await check_export(connection, evidence)
        finally:
            await connection.close()
    except NotProven as fault:
        return f"not proven: {fault}", False
    told, is_whole = await check(settings)
    reached = evidence.anchor.position if evidence.anchor else 0
    anchored = sum(row.position is not None and row.position <= reached for row in evidence.chained)
    rows = f"{len(evidence.chained)} rows stand in the chain ({anchored} under the anchor the export carries), "
    return f"{rows}{evidence.pending} were not chained yet; the chain is {told}", is_whole


async def tell(checked: Awaitable[tuple[str, bool]], echo: Callable[[str], None]) -> int:
    """What was found, said; the status of the command."""
    told, is_whole = await checked
    echo(told)
    return 0 if is_whole else 1

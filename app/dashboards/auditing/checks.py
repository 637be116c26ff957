"""Verifying the audit because an auditor asked: a worker does it beside its other work, and tells how far it is."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.audit.anchor_file import anchor_file
from app.audit.port import AnchorBroken
from app.audit.verify import Report, verify
from app.dashboards.auditing.schemas import CheckList, CheckView
from app.database import AWAY, Connection, driver_url
from app.errors import Conflict, NotFound
from app.ids import uuid7
from app.jobs import Queue, enqueue_on
from app.pages.formats import number_in
from app.settings import Settings
from app.texts import Language, text

log = logging.getLogger("loket.audit")

QUEUE = "audit.verify"
# One whose worker has told nothing for this long is over: its worker died, and no other took it up.
SILENT = "2 minutes"
_ASK = """
INSERT INTO audit_checks (id, asked_by, total)
SELECT $1, $2, coalesce((SELECT max(position) FROM audit_links), 0) ON CONFLICT DO NOTHING RETURNING id
"""
_GIVE_UP_SILENT = f"""
UPDATE audit_checks SET outcome = 'failed', finished_at = now()
WHERE outcome IS NULL AND seen_at < now() - interval '{SILENT}'
"""  # noqa: S608 - constants of ours
_TELL = "UPDATE audit_checks SET done = $2, seen_at = now() WHERE id = $1 AND outcome IS NULL"
_FINISH = """
UPDATE audit_checks SET outcome = $2, fault = $3, fault_position = $4, done = $5, anchors = $6, anchored_position = $7,
    anchored_digest = $8, finished_at = now(), seen_at = now() WHERE id = $1 AND outcome IS NULL
"""
_CHECKS = """
SELECT audit_checks.*, coalesce(officers.name, asked_by::text) AS asker
FROM audit_checks LEFT JOIN officers ON officers.id = asked_by
"""


class VerifyJob(msgspec.Struct, frozen=True):
    """Which verification is to be done."""

    check_id: UUID


async def ask_check(connection: Connection, auditor: UUID) -> UUID:
    """Have the audit verified. Raises Conflict where that is under way already."""
    await connection.execute(_GIVE_UP_SILENT)
    check_id = await connection.fetchval(_ASK, uuid7(), auditor)
    if check_id is None:
        raise Conflict("check_under_way", retry_after_s=10)
    await enqueue_on(connection, QUEUE, VerifyJob(check_id))
    return UUID(str(check_id))


async def list_checks(connection: Connection, language: Language) -> CheckList:
    rows = await connection.fetch(f"{_CHECKS} ORDER BY asked_at DESC LIMIT 20")
    return CheckList([_view(row, language) for row in rows])


async def read_check(connection: Connection, check_id: UUID, language: Language) -> CheckView:
    """Raises NotFound."""
    row = await connection.fetchrow(f"{_CHECKS} WHERE audit_checks.id = $1", check_id)
    if row is None:
        raise NotFound("check_unknown")
    return _view(row, language)


def queue(settings: Settings) -> Queue[Any]:
    """The worker's part: in a thread with a loop of its own, because a million digests take a while."""

    async def run(job: VerifyJob) -> None:
        await asyncio.to_thread(asyncio.run, _check(settings, job.check_id))

    return Queue(QUEUE, VerifyJob, run, 1)


async def _check(settings: Settings, check_id: UUID) -> None:
    url = driver_url(settings.database_url)
    reading = await asyncpg.connect(url, timeout=5)
    telling = await asyncpg.connect(url, timeout=5)
    try:
        await _examine(reading, telling, settings, check_id)
    except AWAY:
        log.exception("the audit could not be verified now")
        await telling.execute(_FINISH, check_id, "failed", None, None, 0, None, None, None)
    finally:
        await reading.close()
        await telling.close()


async def _examine(reading: Connection, telling: Connection, settings: Settings, check_id: UUID) -> None:
    async def tell(position: int) -> None:
        await telling.execute(_TELL, check_id, position)

    try:
        anchors = await anchor_file(settings).anchored()
    except AnchorBroken as broken:
        log.error("the audit's anchors are not what we wrote: %s", broken)
        await telling.execute(_FINISH, check_id, "broken", "anchors", None, 0, 0, None, None)
        return
    report: Report = await verify(reading, anchors, tell)
    fault = (report.fault.kind, report.fault.position) if report.fault else (None, None)
    newest = (anchors[-1].position, anchors[-1].digest) if anchors else (None, None)
    outcome = "broken" if report.fault else "whole"
    await telling.execute(_FINISH, check_id, outcome, *fault, report.head.position, report.anchors, *newest)


def _view(row: Mapping[str, Any], language: Language) -> CheckView:
    digest = row["anchored_digest"]
    same = ("id", "asked_at", "finished_at", "total", "done", "outcome", "fault", "fault_position", "anchors")
    return CheckView(
        **{name: row[name] for name in same},
        asked_by=row["asker"],
        words=_words(row, language),
        anchored_position=row["anchored_position"],
        anchored_digest=digest.hex() if digest else None,
    )


def _words(row: Mapping[str, Any], language: Language) -> str:
    if row["outcome"] == "broken" and row["fault"]:
        return text(
            f"auditing.fault.{row['fault']}", language, {"position": number_in(row["fault_position"], language)}
        )
    return text(f"auditing.check.{row['outcome'] or 'under_way'}", language, {"done": number_in(row["done"], language)})

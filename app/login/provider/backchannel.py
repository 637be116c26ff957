"""Telling applications that a session has ended (OpenID Connect Back-Channel Logout), by jobs that try again."""

import functools
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from sqlalchemy import func, update

from app.agency_client import AgencyClient, Call
from app.database import Connection, Database, utc_now
from app.errors import AgencyError, AgencyUnavailable
from app.jobs import Queue, RetryLater, enqueue_on
from app.login.gate import Gate
from app.login.provider.clients import Registered, find_client
from app.login.provider.models import LogoutNotice
from app.login.provider.signed import logout_token
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings

log = logging.getLogger("loket.login")

QUEUE = "login.logout_notice"
AT_ONCE = 8
# After this an application's own session has surely ended by itself.
GIVE_UP_AFTER = timedelta(hours=12)
LONGEST_PAUSE_S = 600.0
_BUDGET_S = 5.0
# Ended sessions whose applications have not been told. A session ends in many places; none of them has to know of this.
_NOTE = """
INSERT INTO logout_notices (id, client_id, citizen_id, session_id)
SELECT DISTINCT ON (a.session_id, a.client_id) gen_random_uuid(), a.client_id, a.citizen_id, a.session_id
FROM sessions s JOIN client_authorizations a ON a.session_id = s.id JOIN clients c ON c.id = a.client_id
WHERE s.revoked_at > now() - interval '1 hour' AND a.code_used_at IS NOT NULL
    AND c.backchannel_logout_uri <> '' AND c.removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM logout_notices n WHERE n.session_id = s.id AND n.client_id = a.client_id)
ON CONFLICT DO NOTHING RETURNING id
"""


class NoticeJob(msgspec.Struct, frozen=True):
    notice_id: UUID


async def note_ended(connection: Connection) -> int:
    """A notice with its job for every application of a session that has ended, in the caller's transaction."""
    rows = await connection.fetch(_NOTE)
    for row in rows:
        await enqueue_on(connection, QUEUE, NoticeJob(row["id"]))
    return len(rows)


async def sweep(database: Database) -> None:
    """Run by workers every few seconds."""
    async with database.begin() as connection:
        await note_ended(connection)


def queues(gate: Gate) -> Sequence[Queue[Any]]:
    return [Queue(QUEUE, NoticeJob, functools.partial(tell, gate), AT_ONCE)]


async def tell(gate: Gate, job: NoticeJob) -> None:
    """One try. Raises RetryLater where the application did not take it."""
    async with gate.database.transaction() as session:
        notice = await session.scalar(
            update(LogoutNotice)
            .where(LogoutNotice.id == job.notice_id, LogoutNotice.outcome == "")
            .values(tries=LogoutNotice.tries + 1)
            .returning(LogoutNotice)
        )
        client = await find_client(session, notice.client_id) if notice else None
    if notice is None:
        return
    if client is None or not client.backchannel_logout_uri:
        await _close(gate, notice.id, "given_up")
        return
    # A worker signs nothing else, and keeps no keys fresh.
    await gate.keys.open()
    try:
        outcome = await _post(client, logout_token(gate, client, notice.citizen_id, notice.session_id))
    except AgencyError as error:
        if utc_now() - notice.created_at > GIVE_UP_AFTER:
            await _close(gate, notice.id, "given_up")
            return
        raise RetryLater(min(2.0**notice.tries, LONGEST_PAUSE_S), type(error).__name__) from error
    await _close(gate, notice.id, outcome)


async def _post(client: Registered, token: str) -> str:
    """ "told", or "refused" where the application understood and would not. Raises AgencyError: not now."""
    parts = urlsplit(client.backchannel_logout_uri)
    address = f"{parts.scheme}://{parts.netloc}"
    way_out = AgencyClient(_manifest(client), BackendSettings(f"client.{client.id}", address, {}, {}))
    try:
        reply = await way_out.call(
            Call(operation="logout", method="POST", path=parts.path or "/", form=(("logout_token", token),))
        )
    finally:
        await way_out.close()
    if reply.status in (200, 204):
        return "told"
    if reply.status >= 500:
        raise AgencyUnavailable(f"client.{client.id}", "logout", f"HTTP {reply.status}")
    log.warning("an application refused a logout: %s, HTTP %d", client.id, reply.status)
    return "refused"


def _manifest(client: Registered) -> IntegrationManifest:
    # Safe: being told twice that a session has ended is being told.
    policy = OperationPolicy(safe=True, budget_s=_BUDGET_S, max_response_bytes=16_384)
    return IntegrationManifest(
        name="client",
        title=client.name,
        agency=client.agency,
        serves=(),
        protocol="OpenID Connect Back-Channel Logout 1.0",
        concurrency=1,
        operations={"logout": policy},
    )


async def _close(gate: Gate, notice_id: UUID, outcome: str) -> None:
    async with gate.database.transaction() as session:
        await session.execute(
            update(LogoutNotice).where(LogoutNotice.id == notice_id).values(outcome=outcome, told_at=func.now())
        )

"""Reading and keeping a citizen's preferences."""

from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any
from uuid import UUID

from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.errors import FieldError, Unprocessable
from app.inbox.actions import NOTICES, SendMessage
from app.inbox.schemas import PreferencesChange, QuietHours
from app.inbox.wishes import ABOUT_CASES, is_within
from app.jobs import enqueue_now

_CLOCK = "%H:%M"
_STANDING = "SELECT channels, quiet_from, quiet_until, digest_at, changed_at FROM preferences WHERE citizen_id = $1"
_KEEP = """
INSERT INTO preferences (citizen_id, channels, quiet_from, quiet_until, digest_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (citizen_id) DO UPDATE SET channels = excluded.channels, quiet_from = excluded.quiet_from,
    quiet_until = excluded.quiet_until, digest_at = excluded.digest_at, changed_at = now()
"""
_WAITING = f"""
SELECT outgoing_messages.id FROM outgoing_messages JOIN messages ON messages.id = message_id
WHERE citizen_id = $1 AND state = 'queued' AND starts_with(key, '{ABOUT_CASES}')
ORDER BY outgoing_messages.id LIMIT 100
"""  # noqa: S608 - a constant of ours


async def standing(connection: Connection, citizen_id: UUID) -> Mapping[str, Any] | None:
    """The row; None of who never chose."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_STANDING, citizen_id)
    return row


async def keep(connection: Connection, citizen_id: UUID, wanted: PreferencesChange, offered: Sequence[str]) -> None:
    """Write down what a citizen wants, from now on and for what waits already. Raises Unprocessable."""
    _check(wanted, offered)
    quiet = wanted.quiet_hours
    times = (quiet and quiet.start, quiet and quiet.until, wanted.digest_at)
    await connection.execute(_KEEP, citizen_id, wanted.channels, *(at and time.fromisoformat(at) for at in times))
    for row in await connection.fetch(_WAITING, citizen_id):
        await enqueue_now(connection, NOTICES, SendMessage(row["id"]), dedupe=f"{NOTICES}:{row['id']}")
    await record_on(
        connection,
        AuditEntry(
            actor_kind="citizen",
            actor_id=str(citizen_id),
            action="preferences.changed",
            subject_id=citizen_id,
            object_kind="citizen",
            object_id=str(citizen_id),
            purpose="inbox",
            legal_basis="uu-25-2009",
        ),
    )


def clock(at: time | None) -> str | None:
    return None if at is None else at.strftime(_CLOCK)


def quiet_hours(row: Mapping[str, Any]) -> QuietHours | None:
    if row["quiet_from"] is None:
        return None
    return QuietHours(row["quiet_from"].strftime(_CLOCK), row["quiet_until"].strftime(_CLOCK))


def _check(wanted: PreferencesChange, offered: Sequence[str]) -> None:
    faults = []
    for at, kind in enumerate(wanted.channels):
        if kind not in offered:
            faults.append(FieldError(f"/channels/{at}", "channel_not_offered", {"offered": ", ".join(offered)}))
        elif kind in wanted.channels[:at]:
            faults.append(FieldError(f"/channels/{at}", "channel_twice"))
    quiet = wanted.quiet_hours
    if quiet is not None and quiet.start == quiet.until:
        faults.append(FieldError("/quiet_hours/until", "quiet_hours_empty"))
    elif quiet is not None and wanted.digest_at is not None:
        hours = (time.fromisoformat(quiet.start), time.fromisoformat(quiet.until))
        if is_within(time.fromisoformat(wanted.digest_at), hours):
            faults.append(FieldError("/digest_at", "digest_in_quiet_hours"))
    if faults:
        raise Unprocessable(errors=faults)

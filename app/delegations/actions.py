"""Asking for a delegation, granting it, ending it: each in the caller's transaction, on record and told to both."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.errors import NotFound
from app.ids import uuid7
from app.inbox.actions import Notice, notify_on
from app.jobs import enqueue_on

QUEUE = "delegations.asked"
ASKED_DAYS = 7
_COLUMNS = """
    delegations.id, relation, state, subject_id, delegate_id, officer_id, services, days, asked_until, granted_at,
    expires_at, ended_at, ended_by, delegations.created_at, expires_at <= now() AS is_over,
    asked_until <= now() AS is_too_late
"""
# Before it is granted only they see it as theirs whose NIK it names. Of a child's an officer decides.
_ASKED_OF_ME = """
state = 'asked' AND asked_until > now() AND relation IN ('elder', 'other')
AND EXISTS (SELECT FROM citizens AS asked WHERE asked.nik_index = subject_index AND asked.id = $1)
"""
_MINE = f"""
SELECT {_COLUMNS}, them.name_enc FROM delegations
LEFT JOIN citizens AS them ON them.id = CASE WHEN delegate_id = $1 THEN subject_id ELSE delegate_id END
WHERE (delegate_id = $1 OR subject_id = $1 OR ({_ASKED_OF_ME}))
    AND ($2::uuid IS NULL OR delegations.id < $2) AND ($3::uuid IS NULL OR delegations.id = $3)
ORDER BY delegations.id DESC LIMIT $4
"""  # noqa: S608 - constants of ours
_ASK = f"""
INSERT INTO delegations (id, relation, delegate_id, subject_index, services, days, asked_until)
VALUES ($1, $2, $3, $4, $5, $6, now() + interval '{ASKED_DAYS} days')
"""  # noqa: S608 - constants of ours
_GRANT = f"""
UPDATE delegations SET state = 'active', subject_id = $1, granted_at = now(), granted_by = 'subject',
    expires_at = now() + make_interval(days => days)
WHERE id = $2 AND delegate_id <> $1 AND {_ASKED_OF_ME} RETURNING delegate_id
"""  # noqa: S608 - constants of ours
_END = f"""
UPDATE delegations
SET state = CASE WHEN state = 'asked' AND delegate_id IS DISTINCT FROM $1 THEN 'refused' ELSE 'ended' END,
    ended_at = now(), ended_by = CASE WHEN delegate_id = $1 THEN 'delegate' ELSE 'subject' END
WHERE id = $2 AND state IN ('asked', 'active') AND (delegate_id = $1 OR subject_id = $1 OR ({_ASKED_OF_ME}))
RETURNING subject_id, delegate_id, state
"""  # noqa: S608 - constants of ours
Action = Literal["asked", "granted", "refused", "ended"]


class AskedJob(msgspec.Struct):
    """The job that tells whoever it is asked of, if there is anybody."""

    delegation_id: UUID


class Asking(msgspec.Struct, frozen=True):
    """Who wants to act, for whom (the index of a NIK), how they stand to each other, for what and for how long."""

    delegate_id: UUID
    subject_index: bytes
    relation: str
    services: Sequence[str]
    days: int


async def ask(connection: Connection, asking: Asking) -> UUID:
    """Keep the question. Nobody is looked up: the same is done for a NIK that nobody has."""
    new = uuid7()
    given = (asking.relation, asking.delegate_id, asking.subject_index, list(asking.services), asking.days)
    await connection.execute(_ASK, new, *given)
    await _note(connection, "asked", new, (asking.delegate_id, asking.delegate_id))
    await enqueue_on(connection, QUEUE, AskedJob(new))
    return new


async def grant(connection: Connection, delegation_id: UUID, citizen_id: UUID) -> None:
    """The yes of whom it is asked of. Raises NotFound for what is not asked of them, or not any more."""
    delegate_id = await connection.fetchval(_GRANT, citizen_id, delegation_id)
    if delegate_id is None:
        raise NotFound("delegation_not_found")
    await _note(connection, "granted", delegation_id, (citizen_id, citizen_id))
    await notify_on(connection, Notice(citizen_id, "inbox.delegation_granted.subject", {}))
    await notify_on(connection, Notice(delegate_id, "inbox.delegation_granted.delegate", {}))


async def end(connection: Connection, delegation_id: UUID, citizen_id: UUID) -> None:
    """Either side's no, before or after it was granted. Ended before, it stays as it ended. Raises NotFound."""
    row = await connection.fetchrow(_END, citizen_id, delegation_id)
    if row is None:
        await one_of_mine(connection, delegation_id, citizen_id)
        return
    subject_id = row["subject_id"] or (citizen_id if row["state"] == "refused" else row["delegate_id"])
    await _note(connection, row["state"], delegation_id, (subject_id, citizen_id))
    if row["state"] == "ended" and row["subject_id"] is not None:
        for side in ("subject", "delegate"):
            if row[f"{side}_id"] is not None:
                await notify_on(connection, Notice(row[f"{side}_id"], f"inbox.delegation_ended.{side}", {}))


async def mine(connection: Connection, citizen_id: UUID, after: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """Of both sides, newest first, with the sealed name of the other."""
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_MINE, citizen_id, after, None, limit)
    return rows


async def one_of_mine(connection: Connection, delegation_id: UUID, citizen_id: UUID) -> Mapping[str, Any]:
    """Raises NotFound, also for others'."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_MINE, citizen_id, None, delegation_id, 1)
    if row is None:
        raise NotFound("delegation_not_found")
    return row


async def _note(connection: Connection, action: Action, delegation_id: UUID, sides: tuple[UUID, UUID]) -> None:
    """Whose delegation it is, and who did it."""
    subject_id, actor_id = sides
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(actor_id),
        action=f"delegation.{action}",
        subject_id=subject_id,
        object_kind="delegation",
        object_id=str(delegation_id),
        purpose="delegation",
        legal_basis="delegation",
    )
    await record_on(connection, entry)

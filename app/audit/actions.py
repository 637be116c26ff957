"""Writing the audit record, in the transaction of what it records."""

import json
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.asking import acting
from app.database import Connection
from app.jobs import driver_connection
from app.telemetry import request_id

AUDIT_COLUMNS = (
    "actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields, request_id"
)
_INSERT = f"""
INSERT INTO audit_rows ({AUDIT_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10)
"""  # noqa: S608 - constants of ours


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who (`actor`) did what (`action`, `object`) with whose data (`subject_id`, a citizen), why (`purpose`), on which
    legal basis, and which fields. Never the data itself."""

    actor_kind: Literal["citizen", "officer", "job", "client"]
    actor_id: str
    action: str
    subject_id: UUID | None
    object_kind: str
    object_id: str
    purpose: str
    legal_basis: str
    fields: Sequence[str] = ()


async def record(session: AsyncSession, entry: AuditEntry) -> None:
    """Add one row; it commits or vanishes with the session's transaction."""
    await record_on(await driver_connection(session), entry)


async def record_on(connection: Connection, entry: AuditEntry) -> None:
    """The same in the transaction that `connection` is in."""
    await connection.execute(_INSERT, *values_of(entry))


def values_of(entry: AuditEntry) -> tuple[object, ...]:
    """What AUDIT_COLUMNS are given, for statements that record beside what else they write. What a citizen did is told
    of who acted for them, where somebody does: no caller needs to know of it."""
    delegate = acting.get()
    if delegate and entry.actor_kind == "citizen" and entry.actor_id == str(delegate.subject_id):
        entry = msgspec.structs.replace(entry, actor_kind=delegate.actor_kind, actor_id=str(delegate.actor_id))
    *told, fields = msgspec.structs.astuple(entry)
    return *told, json.dumps(list(fields)), request_id.get()

"""Writing the audit record, in the transaction of what it records."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.models import AuditRow
from app.telemetry import request_id

_INSERT = insert(AuditRow)


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
    values = msgspec.structs.asdict(entry)
    await session.execute(_INSERT, {**values, "fields": list(entry.fields), "request_id": request_id.get()})

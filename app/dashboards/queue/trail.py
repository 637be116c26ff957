"""The record of officers' looks and deeds: in the audit, and beside the case for those who work on it next."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.dashboards.queue.models import WORDS_CONTEXT
from app.database import Connection
from app.ids import uuid7
from app.login.guards import Officer
from app.privacy import Vault

PURPOSE, BASIS = "case_handling", "uu-25-2009"
_NOTE = "INSERT INTO case_work (id, case_id, officer, kind, target, words_enc) VALUES ($1, $2, $3, $4, $5, $6)"


class Deed(msgspec.Struct, frozen=True):
    """What was done: `kind` as case_work has it, in whose words, and to whom a case was given."""

    kind: str
    words: str = ""
    target: str = ""


class Look(msgspec.Struct, frozen=True):
    """What was seen, of whom: `action`, `subject_id` and `fields` as the audit has them."""

    action: str
    subject_id: UUID | None
    fields: Sequence[str]
    object_kind: str = "case"
    object_id: str = ""


async def keep(connection: Connection, officer: Officer, case_id: UUID, deed: Deed, vault: Vault) -> None:
    sealed = vault.encrypt(deed.words.encode(), WORDS_CONTEXT) if deed.words else None
    await connection.execute(_NOTE, uuid7(), case_id, officer.name, deed.kind, deed.target, sealed)


async def audit(connection: Connection, officer: Officer, look: Look) -> None:
    """In the transaction of what is shown."""
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=str(officer.id),
            action=look.action,
            subject_id=look.subject_id,
            object_kind=look.object_kind,
            object_id=look.object_id,
            purpose=PURPOSE,
            legal_basis=BASIS,
            fields=look.fields,
        ),
    )

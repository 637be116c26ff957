"""Who acts at the desk, and the record of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.cases.models import ACTION_REASON_CONTEXT
from app.database import Connection
from app.ids import uuid7
from app.login.guards import Officer
from app.privacy import Vault

_NOTE = """
INSERT INTO delivery_actions (id, delivery_id, officer, action, reference, reason_enc) VALUES ($1, $2, $3, $4, $5, $6)
"""


class Acting(msgspec.Struct, frozen=True):
    """An officer at the desk. `agency`: the one whose deliveries they may see, "" for all. `alone`: at the terminal,
    where one word is enough for everything."""

    id: str
    name: str
    agency: str
    alone: bool = False


def acting_of(officer: Officer) -> Acting:
    """An officer who is logged in: without an agency of their own they see all."""
    return Acting(str(officer.id), officer.name, officer.agency)


class Deed(msgspec.Struct, frozen=True):
    """What an officer does about a delivery: `action` as delivery_actions has it."""

    action: str
    reason: str
    reference: str | None = None


async def note(connection: Connection, acting: Acting, row: Mapping[str, Any], deed: Deed, vault: Vault) -> None:
    """Keep it beside the delivery, and in the audit record, in the caller's transaction.

    The reason is free text and may name somebody: it stands sealed with the deed, not in a record nobody can change.
    """
    reason = vault.encrypt(deed.reason.encode(), ACTION_REASON_CONTEXT)
    await connection.execute(_NOTE, uuid7(), row["id"], acting.name, deed.action, deed.reference, reason)
    await audit(connection, acting, row, f"delivery.{deed.action}", ("delivery",))


async def audit(
    connection: Connection, acting: Acting, row: Mapping[str, Any], action: str, fields: Sequence[str]
) -> None:
    """One row of the record, for the sake of the case's service."""
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=acting.id,
            action=action,
            subject_id=row["citizen_id"],
            object_kind="delivery",
            object_id=str(row["id"]),
            purpose=row["service"],
            legal_basis="uu-25-2009",
            fields=fields,
        ),
    )

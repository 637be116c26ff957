"""The audit record of logging in: what was proven, refused or changed, and whose. Never a code, password or address."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.jobs import driver_connection

Event = Literal[
    "opened",
    "code_asked",
    "password_refused",
    "code_refused",
    "passkey_refused",
    "passkey_copied",
    "passkey_added",
    "passkey_removed",
    "raised",
    "password_changed",
    "password_recovered",
    "phone_change_asked",
    "phone_change_confirmed",
    "phone_change_stopped",
    "phone_changed",
    "session_ended",
    "sessions_ended",
    "refresh_replayed",
]
# Who they are is not proven yet: a wrong password is not its citizen's deed.
_UNPROVEN: frozenset[Event] = frozenset(
    {"code_asked", "password_refused", "code_refused", "passkey_refused", "passkey_copied", "refresh_replayed"}
)


class Step(msgspec.Struct, frozen=True):
    """One event. `citizen_id` None: of an account that does not exist, recorded all the same, for the same time."""

    event: Event
    citizen_id: UUID | None
    object_kind: Literal["session", "challenge", "passkey", "password", "phone"] = "session"
    object_id: str = ""
    fields: Sequence[str] = ()


async def keep(session: AsyncSession, step: Step) -> None:
    """Add the row; it commits or vanishes with the session's transaction."""
    await keep_on(await driver_connection(session), step)


async def keep_on(connection: Connection, step: Step) -> None:
    """The same in the transaction that `connection` is in."""
    unproven = step.event in _UNPROVEN or step.citizen_id is None
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id="unproven" if unproven else str(step.citizen_id),
        action=f"login.{step.event}",
        subject_id=step.citizen_id,
        object_kind=step.object_kind,
        object_id=step.object_id,
        purpose="login",
        legal_basis="uu-27-2022",
        fields=step.fields,
    )
    await record_on(connection, entry)

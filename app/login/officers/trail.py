"""What officers do with accounts, their own and others', as rows of the audit record."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record


async def note(session: AsyncSession, actor_id: UUID | str, action: str, officer_id: UUID, about: str = "") -> None:
    """`actor_id` did `action` (`officer.<action>`) to the account `officer_id`; with the session's transaction."""
    await record(
        session,
        AuditEntry(
            actor_kind="officer",
            actor_id=str(actor_id),
            action=f"officer.{action}",
            subject_id=None,
            object_kind="officer",
            object_id=str(officer_id),
            purpose=about or "officers",
            legal_basis="perpres-95-2018",
        ),
    )

"""What becomes of officers' accounts: as rows of the audit record, and as words to their owners."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.database import utc_now
from app.login.courier import Note
from app.login.gate import Gate
from app.login.officers.models import PHONE, OfficerAccount

_TOLD_S = 3 * 86_400


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


async def tell(gate: Gate, session: AsyncSession, account: OfficerAccount, key: str) -> None:
    """The officer hears of it on their phone, where we have its number."""
    if account.phone_enc is None:
        return
    told = Note(
        phone=gate.vault.decrypt(account.phone_enc, PHONE).decode(),
        key=key,
        params={"name": account.name},
        language="en" if account.language == "en" else "id",
        expires_at=utc_now() + timedelta(seconds=_TOLD_S),
    )
    await gate.courier.send(session, told)

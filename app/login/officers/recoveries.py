"""Recovery with four eyes: one city admin asks, another decides, nobody for their own account."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import Conflict, Forbidden, NotFound
from app.ids import uuid7
from app.login.gate import Gate
from app.login.guards import Officer
from app.login.officers.accounts import held
from app.login.officers.invitations import Invitation, invite
from app.login.officers.models import OfficerAccount, OfficerRecovery, OfficerSession
from app.login.officers.passkeys import remove_all
from app.login.officers.sessions import end_officer_sessions
from app.login.officers.trail import note, tell

RECOVERY_S = 86_400


class Recovery(msgspec.Struct, frozen=True):
    """One that waits for its decision."""

    id: UUID
    officer_id: UUID
    officer: str
    reason: str
    asked_by: UUID
    asked_at: datetime
    expires_at: datetime


async def ask(gate: Gate, session: AsyncSession, wanted: tuple[UUID, str], by: Officer) -> Recovery:
    """One of the officer `wanted` names, for the reason it has. Raises NotFound, Forbidden for one's own account,
    Conflict where one already waits."""
    officer_id, reason = wanted
    if officer_id == by.id:
        raise Forbidden("own_account")
    account = await held(session, officer_id, by)
    if account.state != "active":
        raise Conflict("officer_not_active")
    await _clear_expired(session, officer_id)
    asked = OfficerRecovery(
        id=uuid7(),
        officer_id=officer_id,
        reason=reason,
        asked_by=by.id,
        asked_at=utc_now(),
        expires_at=utc_now() + timedelta(seconds=RECOVERY_S),
    )
    session.add(asked)
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict("recovery_waiting") from None
    await note(session, by.id, "recovery_asked", officer_id)
    await tell(gate, session, account, "officers.recovery_asked")
    return _seen(asked, account.name)


async def waiting(session: AsyncSession) -> Sequence[Recovery]:
    """Those that wait for a decision, the oldest first."""
    found = await session.execute(
        select(OfficerRecovery, OfficerAccount.name)
        .join(OfficerAccount, OfficerAccount.id == OfficerRecovery.officer_id)
        .where(OfficerRecovery.state == "asked", OfficerRecovery.expires_at > func.now())
        .order_by(OfficerRecovery.id)
    )
    return [_seen(row, name) for row, name in found]


async def approve(gate: Gate, session: AsyncSession, recovery_id: UUID, by: Officer) -> Invitation:
    """End all that the account was entered with; an invitation takes its place. Raises NotFound, Forbidden."""
    recovery = await _decide(session, recovery_id, by, "approved")
    account = await held(session, recovery.officer_id, by)
    if account.state == "disabled":
        raise Conflict("officer_not_active")
    await end_officer_sessions(session, OfficerSession.officer_id == account.id, "recovery")
    await remove_all(session, account.id)
    invitation = invite(account)
    await note(session, by.id, "recovery_approved", account.id)
    await tell(gate, session, account, "officers.recovery_approved")
    return invitation


async def refuse(gate: Gate, recovery_id: UUID, by: Officer) -> None:
    """Raises NotFound, Forbidden."""
    async with gate.database.transaction() as session:
        recovery = await _decide(session, recovery_id, by, "refused")
        account = await held(session, recovery.officer_id, by)
        await note(session, by.id, "recovery_refused", account.id)
        await tell(gate, session, account, "officers.recovery_refused")


async def _decide(
    session: AsyncSession, recovery_id: UUID, by: Officer, decision: Literal["approved", "refused"]
) -> OfficerRecovery:
    """Decide what still waits, as somebody else than the one who asked and the one it is for."""
    recovery = await session.scalar(
        select(OfficerRecovery)
        .where(
            OfficerRecovery.id == recovery_id,
            OfficerRecovery.state == "asked",
            OfficerRecovery.expires_at > func.now(),
        )
        .with_for_update()
    )
    if recovery is None:
        raise NotFound
    if by.id in (recovery.asked_by, recovery.officer_id):
        raise Forbidden("four_eyes")
    recovery.state, recovery.decided_by, recovery.decided_at = decision, by.id, utc_now()
    return recovery


async def _clear_expired(session: AsyncSession, officer_id: UUID) -> None:
    """What nobody decided in time makes room for the next."""
    await session.execute(
        delete(OfficerRecovery)
        .where(
            OfficerRecovery.officer_id == officer_id,
            OfficerRecovery.state == "asked",
            OfficerRecovery.expires_at <= func.now(),
        )
        .execution_options(synchronize_session=False)
    )


def _seen(row: OfficerRecovery, name: str) -> Recovery:
    return Recovery(row.id, row.officer_id, name, row.reason, row.asked_by, row.asked_at, row.expires_at)

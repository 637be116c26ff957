"""The devices a citizen is logged in on: listing them, ending one or all."""

from uuid import UUID

from sqlalchemy import func, select

from app.errors import NotFound
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.models import Session
from app.login.schemas import Device
from app.login.sessions import EndReason, end_sessions


async def list_devices(gate: Gate, caller: Caller, limit: int, before: UUID | None) -> list[Device]:
    """Living sessions, newest first, at most `limit`, those older than `before`."""
    living = select(Session).where(
        Session.citizen_id == caller.id, Session.revoked_at.is_(None), Session.expires_at > func.now()
    )
    if before:
        living = living.where(Session.id < before)
    async with gate.database.transaction() as session:
        found = (await session.scalars(living.order_by(Session.id.desc()).limit(limit))).all()
    return [
        Device(
            id=row.id,
            device_name=row.device_name,
            assurance_level=row.assurance_level,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            current=row.id == caller.session_id,
        )
        for row in found
    ]


async def end_device(gate: Gate, caller: Caller, session_id: UUID, because: EndReason) -> None:
    """End one of the caller's own sessions. Raises NotFound, also for another person's."""
    async with gate.database.transaction() as session:
        mine = (Session.id == session_id) & (Session.citizen_id == caller.id)
        ended = await end_sessions(session, mine, because)
    if not ended:
        raise NotFound
    await gate.revocations.announce(*ended)


async def end_all_devices(gate: Gate, caller: Caller) -> None:
    """End every session of the caller, this one too."""
    async with gate.database.transaction() as session:
        ended = await end_sessions(session, Session.citizen_id == caller.id, "ended_by_citizen")
    await gate.revocations.announce(*ended)

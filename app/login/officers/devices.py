"""An officer's own sessions: listing them, ending one; and a name for the device a browser runs on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound
from app.login.gate import Gate
from app.login.guards import Officer
from app.login.officers.models import OfficerSession, SessionKind
from app.login.officers.sessions import IDLE_S, EndReason, cookie_hash, end_officer_sessions
from app.login.officers.trail import note

# Nobody works in more places at once than they can see on one page.
MOST_SHOWN = 50
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


class OfficerDevice(msgspec.Struct):
    """One place an officer is logged in. `current`: the one this request came from."""

    id: UUID
    kind: SessionKind
    device_name: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


async def own_sessions(session: AsyncSession, officer: Officer) -> Sequence[OfficerDevice]:
    """The living ones, newest first."""
    found = await session.scalars(
        select(OfficerSession)
        .where(
            OfficerSession.officer_id == officer.id,
            OfficerSession.revoked_at.is_(None),
            OfficerSession.expires_at > func.now(),
            OfficerSession.last_used_at > func.now() - timedelta(seconds=IDLE_S),
        )
        .order_by(OfficerSession.id.desc())
        .limit(MOST_SHOWN)
    )
    return [
        OfficerDevice(
            id=row.id,
            kind=msgspec.convert(row.kind, SessionKind),
            device_name=row.device_name,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            current=row.id == officer.session_id,
        )
        for row in found
    ]


async def end_own_session(session: AsyncSession, officer: Officer, session_id: UUID, because: EndReason) -> None:
    """Raises NotFound, also for another officer's."""
    mine = (OfficerSession.id == session_id) & (OfficerSession.officer_id == officer.id)
    if not await end_officer_sessions(session, mine, because):
        raise NotFound
    await note(session, officer.id, "logged_out", officer.id)


async def end_page_session(gate: Gate, cookie: str) -> None:
    """End what a browser held before somebody logged in anew at it, whoever's it was."""
    if cookie:
        async with gate.database.transaction() as session:
            await end_officer_sessions(session, OfficerSession.cookie_hash == cookie_hash(cookie), "replaced")


def described(user_agent: str) -> str:
    """`Firefox, Windows`: what a person recognises, and nothing of what they could be followed by."""
    browser = next((name for name in _BROWSERS if name in user_agent), "")
    system = next((name for name in _SYSTEMS if name in user_agent), "")
    return ", ".join(part for part in (_NAMES.get(browser, browser), system) if part)

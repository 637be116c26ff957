"""The devices a citizen is logged in on: listing them, ending one or all. Where they are is told only as a network."""

from ipaddress import IPv4Address, ip_address
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import NotFound
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.models import Session
from app.login.schemas import Device
from app.login.sessions import EndReason, Refused, counting_level, end_sessions
from app.login.trail import Step, keep


class Page(msgspec.Struct, frozen=True):
    """How many at most, and older than which. `network`: the one it is asked from."""

    limit: int
    before: UUID | None
    network: str


def coarse_network(address: str) -> str:
    """The half of an address that names an operator's network, not a house: 103.28.*.* or 2001:df0:*.

    It is all we say of a place. Finer would need a service outside, and would still be wrong for most mobile phones.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv4Address):
        return ".".join(parsed.exploded.split(".")[:2]) + ".*.*"
    return ":".join(part.lstrip("0") or "0" for part in parsed.exploded.split(":")[:2]) + ":*"


async def list_devices(gate: Gate, caller: Caller, page: Page) -> list[Device]:
    """Living sessions, newest first."""
    living = select(Session).where(
        Session.citizen_id == caller.id, Session.revoked_at.is_(None), Session.expires_at > func.now()
    )
    if page.before:
        living = living.where(Session.id < page.before)
    async with gate.database.transaction() as session:
        found = (await session.scalars(living.order_by(Session.id.desc()).limit(page.limit))).all()
    now = utc_now()
    return [
        Device(
            id=row.id,
            device_name=row.device_name,
            assurance_level=counting_level(row.assurance_level, row.raised_until, now),
            network=row.network,
            same_network=bool(row.network) and row.network == page.network,
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
        if ended:
            await keep(session, Step("session_ended", caller.id, object_id=str(session_id), fields=(because,)))
    if not ended:
        raise NotFound
    await gate.revocations.announce(*ended)


async def end_all_devices(gate: Gate, caller: Caller) -> None:
    """End every session of the caller, this one too."""
    async with gate.database.transaction() as session:
        ended = await end_sessions(session, Session.citizen_id == caller.id, "ended_by_citizen")
        await keep(session, Step("sessions_ended", caller.id, object_id=str(caller.session_id)))
    await gate.revocations.announce(*ended)


async def tell_stolen(session: AsyncSession, gate: Gate, refused: Refused) -> None:
    """Record that a replayed refresh token ended a session, and say so to its citizen."""
    await keep(session, Step("refresh_replayed", refused.citizen_id, object_id=str(refused.revoked)))
    if refused.citizen_id:
        await gate.courier.tell(session, refused.citizen_id, "login.session_stolen", {})

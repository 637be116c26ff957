"""What a citizen lets an application have: given on the consent page, remembered, shown and withdrawn."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.errors import NotFound
from app.ids import uuid7
from app.login.provider.clients import SCOPES, Registered
from app.login.provider.models import Client, Grant
from app.login.provider.subjects import told
from app.texts import Language


class Application(msgspec.Struct, frozen=True):
    """An agency's application that the citizen logs in to with us, and what it may know."""

    id: UUID
    client_id: str
    name: str
    agency: str
    purpose: str
    scopes: Sequence[str]
    given_at: datetime


async def standing_scopes(session: AsyncSession, citizen_id: UUID, client_id: str) -> frozenset[str]:
    """What the citizen has let the client have, and not withdrawn."""
    scopes = await session.scalar(
        select(Grant.scopes).where(
            Grant.citizen_id == citizen_id, Grant.client_id == client_id, Grant.withdrawn_at.is_(None)
        )
    )
    return frozenset(scopes or ())


async def give_grant(session: AsyncSession, citizen_id: UUID, client: Registered, scopes: Sequence[str]) -> None:
    """Remember a yes; to what was given before, this is added."""
    before = await standing_scopes(session, citizen_id, client.id)
    wider = [scope for scope in SCOPES if scope in before or scope in scopes]
    await session.execute(
        insert(Grant)
        .values(id=uuid7(), citizen_id=citizen_id, client_id=client.id, scopes=wider)
        .on_conflict_do_update(
            index_elements=[Grant.citizen_id, Grant.client_id],
            index_where=Grant.withdrawn_at.is_(None),
            set_={"scopes": wider, "given_at": func.now()},
        )
    )
    await _record(session, citizen_id, client.id, "application.allowed", told(scopes))


async def standing_grant(session: AsyncSession, citizen_id: UUID, client_id: str) -> UUID | None:
    """Locked until the transaction's end: a withdrawal at the same moment comes before or after, never between."""
    found: UUID | None = await session.scalar(
        select(Grant.id)
        .where(Grant.citizen_id == citizen_id, Grant.client_id == client_id, Grant.withdrawn_at.is_(None))
        .with_for_update(read=True)
    )
    return found


async def list_applications(
    session: AsyncSession, citizen_id: UUID, language: Language, page: tuple[int, UUID | None]
) -> Sequence[Application]:
    """Newest first, at most `page[0]`, those older than `page[1]`."""
    limit, before = page
    asked = (
        select(Grant, Client)
        .join(Client, Client.id == Grant.client_id)
        .where(Grant.citizen_id == citizen_id, Grant.withdrawn_at.is_(None), Client.removed_at.is_(None))
    )
    if before:
        asked = asked.where(Grant.id < before)
    rows = (await session.execute(asked.order_by(Grant.id.desc()).limit(limit))).all()
    return [
        Application(
            id=grant.id,
            client_id=client.id,
            name=client.name,
            agency=client.agency,
            purpose=client.purpose_en if language == "en" else client.purpose_id,
            scopes=grant.scopes,
            given_at=grant.given_at,
        )
        for grant, client in rows
    ]


async def withdraw_grant(session: AsyncSession, citizen_id: UUID, grant_id: UUID) -> None:
    """From the commit on every token that came of it is refused. Raises NotFound, also for another person's."""
    client_id = await session.scalar(
        update(Grant)
        .where(Grant.id == grant_id, Grant.citizen_id == citizen_id, Grant.withdrawn_at.is_(None))
        .values(withdrawn_at=func.now())
        .returning(Grant.client_id)
        .execution_options(synchronize_session=False)
    )
    if client_id is None:
        raise NotFound
    await _record(session, citizen_id, client_id, "application.withdrawn", [])


async def _record(session: AsyncSession, citizen_id: UUID, client_id: str, action: str, fields: Sequence[str]) -> None:
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(citizen_id),
        action=action,
        subject_id=citizen_id,
        object_kind="client",
        object_id=client_id,
        purpose="login",
        legal_basis="consent",
        fields=fields,
    )
    await record(session, entry)

"""HTTP of the inbox, and of how its owner wants to hear of what comes into it."""

from collections.abc import Sequence
from uuid import UUID

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalog.catalog import Catalog
from app.cursor import decode_cursor, encode_cursor
from app.database import Connection, Database
from app.inbox.actions import mark_read, rendered
from app.inbox.models import Message
from app.inbox.port import Channel, ChannelKind
from app.inbox.preferences import clock, keep, quiet_hours, standing
from app.inbox.schemas import InboxMessage, InboxPage, PreferencesChange, PreferencesView
from app.login.guards import CITIZEN, Caller
from app.parameters import Cursor, Limit
from app.privacy import Vault
from app.problems import problems
from app.texts import Language


@get(
    "/v1/inbox",
    opt=CITIZEN,
    operation_id="list_inbox",
    summary="My messages, newest first",
    tags=["inbox"],
    responses=problems(),
)
async def list_inbox(
    session: NamedDependency[AsyncSession],
    caller: NamedDependency[Caller],
    language: NamedDependency[Language],
    vault: NamedDependency[Vault],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> InboxPage:
    mine = select(Message).where(Message.citizen_id == caller.id).order_by(Message.id.desc()).limit(limit + 1)
    if cursor:
        mine = mine.where(Message.id < decode_cursor(cursor, tuple[UUID])[0])
    found = (await session.scalars(mine)).all()
    items = [_shown(message, vault, language) for message in found[:limit]]
    return InboxPage(items, encode_cursor((items[-1].id,)) if len(found) > limit else None)


@post(
    "/v1/inbox/{message_id:uuid}/read",
    status_code=200,
    opt=CITIZEN,
    operation_id="mark_message_read",
    summary="Mark a message as read",
    description="Asking again changes nothing: the time of the first reading stays.",
    tags=["inbox"],
    responses=problems("not_found"),
)
async def mark_message_read(
    message_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    caller: NamedDependency[Caller],
    language: NamedDependency[Language],
    vault: NamedDependency[Vault],
) -> InboxMessage:
    return _shown(await mark_read(session, caller.id, message_id), vault, language)


@get(
    "/v1/me/preferences",
    opt=CITIZEN,
    operation_id="get_my_preferences",
    summary="How I want to hear of my cases: channels, quiet hours, a digest",
    tags=["me"],
    responses=problems(),
)
async def get_preferences(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    channels: NamedDependency[Sequence[Channel]],
) -> PreferencesView:
    async with database.connection() as connection:
        return await _preferences(connection, caller, catalog, _kinds(channels))


@put(
    "/v1/me/preferences",
    opt=CITIZEN,
    operation_id="change_my_preferences",
    summary="Say how I want to hear of my cases",
    description="The whole of it is replaced, and holds for what waits already. Codes, and what concerns the safety of "
    "my account, always come at once.",
    tags=["me"],
    responses=problems(413, 415, 422),
)
async def change_preferences(
    data: JSONBody[PreferencesChange],
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    channels: NamedDependency[Sequence[Channel]],
) -> PreferencesView:
    async with database.begin() as connection:
        await keep(connection, caller.id, data, _kinds(channels))
        return await _preferences(connection, caller, catalog, _kinds(channels))


async def _preferences(
    connection: Connection, caller: Caller, catalog: Catalog, offered: Sequence[ChannelKind]
) -> PreferencesView:
    row = await standing(connection, caller.id)
    return PreferencesView(
        channels=offered if row is None else row["channels"],
        quiet_hours=None if row is None else quiet_hours(row),
        digest_at=None if row is None else clock(row["digest_at"]),
        offered_channels=offered,
        timezone=str(catalog.timezone),
        changed_at=None if row is None else row["changed_at"],
    )


def _kinds(channels: Sequence[Channel]) -> Sequence[ChannelKind]:
    """Each kind once, in the city's order."""
    return list(dict.fromkeys(channel.kind for channel in channels))


def _shown(message: Message, vault: Vault, language: Language) -> InboxMessage:
    return InboxMessage(
        id=message.id,
        key=message.key,
        text=rendered(message.key, vault.unseal_all(message.params), language),
        case_id=message.case_id,
        created_at=message.created_at,
        read_at=message.read_at,
    )


ROUTES = [list_inbox, mark_message_read, get_preferences, change_preferences]

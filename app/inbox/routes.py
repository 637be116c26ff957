"""HTTP of the inbox."""

from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.cursor import decode_cursor, encode_cursor
from app.inbox.actions import mark_read, rendered
from app.inbox.models import Message
from app.inbox.schemas import InboxMessage, InboxPage
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


def _shown(message: Message, vault: Vault, language: Language) -> InboxMessage:
    return InboxMessage(
        id=message.id,
        key=message.key,
        text=rendered(message.key, vault.unseal_all(message.params), language),
        case_id=message.case_id,
        created_at=message.created_at,
        read_at=message.read_at,
    )


ROUTES = [list_inbox, mark_message_read]

"""Writing to citizens: a message in the inbox, which also goes to the phone, or a note that goes to the phone alone."""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection, utc_now
from app.errors import NotFound
from app.ids import uuid7
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, Message, OutgoingMessage
from app.jobs import driver_connection, enqueue, enqueue_on
from app.login.courier import Courier, Note
from app.manifest import service_manifests
from app.privacy import Vault
from app.texts import Language, Text, text

QUEUE = "inbox.send"
NOTICE_LIFE = timedelta(hours=24)
_NOBODY = "+620000000000"


class SendMessage(msgspec.Struct, frozen=True):
    """The job: no personal data, only which row."""

    outgoing_id: UUID


class Notice(msgspec.Struct, frozen=True):
    """One message to a citizen: the name of its text, what fills it, and the case it is about."""

    citizen_id: UUID
    key: str
    params: Mapping[str, str]
    case_id: UUID | None = None


_NOTIFY = """
WITH message AS (
    INSERT INTO messages (id, citizen_id, key, params, case_id) VALUES ($1, $2, $3, $4::jsonb, $5)
)
INSERT INTO outgoing_messages (id, message_id, expires_at) VALUES ($6, $1, $7)
"""


async def notify(
    session: AsyncSession, citizen_id: UUID, key: str, params: Mapping[str, str], case_id: UUID | None = None
) -> UUID:
    """Put a message into a citizen's inbox and send it to their phone, if the caller's transaction commits.

    `service` in `params` is a service's slug, shown as its title. `reason` and `question`, the agency's own words, are
    added where given.
    """
    return await notify_on(await driver_connection(session), Notice(citizen_id, key, params, case_id))


async def notify_on(connection: Connection, notice: Notice) -> UUID:
    """The same in the transaction that `connection` is in: the message and its sending in one statement."""
    message_id, outgoing_id = uuid7(), uuid7()
    await connection.execute(
        _NOTIFY,
        message_id,
        notice.citizen_id,
        notice.key,
        json.dumps(dict(notice.params)),
        notice.case_id,
        outgoing_id,
        utc_now() + NOTICE_LIFE,
    )
    await enqueue_on(connection, QUEUE, SendMessage(outgoing_id))
    return message_id


class InboxCourier(Courier):
    """Login's way to a phone."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def send(self, session: AsyncSession, note: Note) -> None:
        words = text(note.key, note.language, note.params)
        outgoing = OutgoingMessage(
            id=uuid7(),
            phone_enc=self._vault.encrypt((note.phone or _NOBODY).encode(), NOTE_PHONE),
            text_enc=self._vault.encrypt(words.encode(), NOTE_TEXT),
            state="queued" if note.phone else "discarded",
            expires_at=note.expires_at,
        )
        await _send(session, outgoing)


def rendered(key: str, params: Mapping[str, object], language: Language) -> str:
    """A message's words."""
    filled = dict(params)
    if title := _service_titles().get(str(params.get("service"))):
        filled["service"] = title.into(language)
    sentences = [key, *(f"inbox.{added}" for added in ("reason", "question") if params.get(added))]
    return " ".join(text(sentence, language, filled) for sentence in sentences)


async def mark_read(session: AsyncSession, citizen_id: UUID, message_id: UUID) -> Message:
    """Mark one of the citizen's own messages; the first reading's time stays. Raises NotFound."""
    mine = (Message.id == message_id) & (Message.citizen_id == citizen_id)
    await session.execute(
        update(Message)
        .where(mine, Message.read_at.is_(None))
        .values(read_at=func.now())
        .execution_options(synchronize_session=False)
    )
    message = await session.scalar(select(Message).where(mine))
    if message is None:
        raise NotFound
    return message


@lru_cache(maxsize=1)
def _service_titles() -> Mapping[str, Text]:
    return {service.slug: service.title for module in service_manifests().values() for service in module.service}


async def _send(session: AsyncSession, outgoing: OutgoingMessage) -> None:
    session.add(outgoing)
    await session.flush()
    await enqueue(session, QUEUE, SendMessage(outgoing.id))

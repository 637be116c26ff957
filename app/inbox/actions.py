"""Writing to citizens: a message in the inbox, which also goes to the phone, or a note that goes to the phone alone."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import NotFound
from app.ids import uuid7
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, Message, OutgoingMessage
from app.jobs import enqueue
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


async def notify(
    session: AsyncSession, citizen_id: UUID, key: str, params: Mapping[str, str], case_id: UUID | None = None
) -> UUID:
    """Put a message into a citizen's inbox and send it to their phone, if the caller's transaction commits.

    `service` in `params` is a service's slug, shown as its title. `reason` and `question`, the agency's own words, are
    added where given.
    """
    message = Message(id=uuid7(), citizen_id=citizen_id, key=key, params=dict(params), case_id=case_id)
    session.add(message)
    await session.flush()
    await _send(session, OutgoingMessage(id=uuid7(), message_id=message.id, expires_at=utc_now() + NOTICE_LIFE))
    return message.id


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

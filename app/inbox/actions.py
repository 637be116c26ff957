"""Writing to citizens: a message in the inbox, which also goes to the phone, or a note that goes to the phone alone."""

import json
from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection
from app.errors import NotFound
from app.ids import uuid7
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, Message
from app.jobs import driver_connection, enqueue_on, enqueue_part
from app.login.courier import Courier, Note
from app.manifest import service_manifests
from app.privacy import Vault
from app.texts import Language, Text, text

NOTICES = "inbox.send"
# Somebody waits for a code before the login page: it never stands behind a backlog of notices.
CODES = "inbox.code"
ASKS = "inbox.ask"
NOTICE_LIFE_H = 24
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


def notice_parts(source: str, first: int) -> str:
    """SQL that puts a message into an inbox and on its way to the phone, as parts of a WITH.

    `source` is an earlier part whose one row has citizen_id, key, params and case_id; `notice_values` go from place
    `first` on.
    """
    message, outgoing, payload = (f"${place}" for place in range(first, first + 3))
    return f"""
message AS (
    INSERT INTO messages (id, citizen_id, key, params, case_id)
    SELECT {message}, citizen_id, key, params, case_id FROM {source}
), outgoing AS (
    INSERT INTO outgoing_messages (id, message_id, expires_at)
    SELECT {outgoing}, {message}, now() + interval '{NOTICE_LIFE_H} hours' FROM {source}
), sending AS ({enqueue_part(f"'{NOTICES}'", payload, source)})
"""  # noqa: S608 - constants of ours


def notice_values() -> tuple[UUID, UUID, bytes]:
    """The message's id, its sending's, and the job."""
    message_id, outgoing_id = uuid7(), uuid7()
    return message_id, outgoing_id, msgspec.json.encode(SendMessage(outgoing_id))


_NOTIFY = f"""
WITH notice AS (SELECT $1::uuid AS citizen_id, $2::text AS key, $3::jsonb AS params, $4::uuid AS case_id),
{notice_parts("notice", 5)}
SELECT 1
"""


async def notify(
    session: AsyncSession, citizen_id: UUID, key: str, params: Mapping[str, str], case_id: UUID | None = None
) -> UUID:
    """Put a message into a citizen's inbox and send it to their phone, if the caller's transaction commits.

    `service` in `params` is a service's slug, shown as its title. `reason` and `question`, the agency's own words, are
    sealed, and added where given.
    """
    return await notify_on(await driver_connection(session), Notice(citizen_id, key, params, case_id))


async def notify_on(connection: Connection, notice: Notice) -> UUID:
    """The same in the transaction that `connection` is in: the message and its sending in one statement."""
    values = notice_values()
    params = json.dumps(dict(notice.params))
    await connection.execute(_NOTIFY, notice.citizen_id, notice.key, params, notice.case_id, *values)
    return values[0]


_SENT = "SELECT id FROM outgoing_messages WHERE gateway_id = $1 AND state = 'sent'"


async def ask_after(connection: Connection, gateway_id: str) -> bool:
    """Have the gateway asked what became of a message, in the caller's transaction; whether it is one of ours."""
    outgoing_id: UUID | None = await connection.fetchval(_SENT, gateway_id) if gateway_id else None
    if outgoing_id is not None:
        # Not one at a time: an ask under way may have had its answer before what is told now happened.
        await enqueue_on(connection, ASKS, SendMessage(outgoing_id))
    return outgoing_id is not None


# A code's row and its job in one statement: this is a part of every login.
_SEND_NOTE = f"""
WITH outgoing AS (
    INSERT INTO outgoing_messages (id, phone_enc, text_enc, state, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING 1
)
{enqueue_part(f"'{CODES}'", "$6::bytea", "outgoing")}
"""  # noqa: S608 - constants of ours


class InboxCourier(Courier):
    """Login's way to a phone."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def send_on(self, connection: Connection, note: Note) -> None:
        words = text(note.key, note.language, note.params)
        outgoing_id = uuid7()
        await connection.execute(
            _SEND_NOTE,
            outgoing_id,
            self._vault.encrypt((note.phone or _NOBODY).encode(), NOTE_PHONE),
            self._vault.encrypt(words.encode(), NOTE_TEXT),
            "queued" if note.phone else "discarded",
            note.expires_at,
            msgspec.json.encode(SendMessage(outgoing_id)),
        )

    async def tell(self, session: AsyncSession, citizen_id: UUID, key: str, params: Mapping[str, str]) -> None:
        await notify(session, citizen_id, key, params)


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

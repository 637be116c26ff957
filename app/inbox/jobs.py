"""Handing messages to the channels: a notice for a day, a code while it lives, and a code never twice."""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, utc_now
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.inbox.actions import QUEUE, SendMessage, rendered
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, Message, OutgoingMessage, OutgoingState
from app.inbox.port import Channel
from app.jobs import Queue, RetryLater
from app.login.models import CONTACT, Citizen, Contact
from app.privacy import Vault

log = logging.getLogger("loket.inbox")

CONCURRENCY = 16
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 600.0
# Sent rows tell operators what became of a message; after this nobody asks any more.
KEEP = timedelta(days=30)


class Letter(msgspec.Struct, frozen=True):
    """What is to be handed over. A note that may have arrived is never sent again, a notice is."""

    id: UUID
    phone: str
    text: str
    is_note: bool
    attempts: int
    expires_at: datetime


class Result(msgspec.Struct, frozen=True):
    """What became of one try."""

    state: OutgoingState
    channel: str = ""
    gateway_id: str = ""
    failure: str = ""
    retry_after_s: float = 0.0


def queues(database: Database, vault: Vault, channels: Sequence[Channel]) -> list[Queue[SendMessage]]:
    """The inbox's queue, for the worker."""
    post = PostRoom(database, vault, channels)
    return [Queue(QUEUE, SendMessage, post.run, concurrency=CONCURRENCY)]


async def purge(database: Database) -> None:
    """Remove what was sent, or could not be, long ago. A scheduled job runs it."""
    async with database.transaction() as session:
        await session.execute(delete(OutgoingMessage).where(OutgoingMessage.created_at < utc_now() - KEEP))


class PostRoom:
    """Takes one outgoing message through: claimed, handed over outside any transaction, result written down."""

    def __init__(self, database: Database, vault: Vault, channels: Sequence[Channel]) -> None:
        self._database = database
        self._vault = vault
        self._channels = channels

    async def run(self, job: SendMessage) -> None:
        """Raises RetryLater while the channels are out of reach and the message still has a point."""
        letter = await self._claim(job.outgoing_id)
        if letter is None:
            return
        result = await self._hand_over(letter)
        await self._write(letter.id, result)
        if result.state == "queued":
            raise RetryLater(max(_delay_s(letter.attempts), result.retry_after_s), result.failure)
        if result.state != "sent":
            log.warning("message %s: %s, %s", letter.id, result.state, result.failure)

    async def _claim(self, outgoing_id: UUID) -> Letter | None:
        """The message, marked as being sent; None where there is nothing left to do."""
        async with self._database.transaction() as session:
            row = await session.scalar(
                select(OutgoingMessage).where(OutgoingMessage.id == outgoing_id).with_for_update()
            )
            if row is None:
                return None
            over = _why_over(row)
            address = None if over else await self._address(session, row)
            if over or address is None:
                row.state, row.phone_enc, row.text_enc = over or "discarded", None, None
                return None
            row.state = "sending"
            row.attempts += 1
            return Letter(row.id, *address, row.message_id is None, row.attempts, row.expires_at)

    async def _address(self, session: AsyncSession, row: OutgoingMessage) -> tuple[str, str] | None:
        """Phone and words; None where the citizen has no confirmed phone."""
        if row.phone_enc and row.text_enc:
            phone = self._vault.decrypt(row.phone_enc, NOTE_PHONE)
            return phone.decode(), self._vault.decrypt(row.text_enc, NOTE_TEXT).decode()
        found = (await session.execute(_NOTICE.where(Message.id == row.message_id))).one_or_none()
        if found is None:
            return None
        phone = self._vault.decrypt(found.value_enc, CONTACT)
        return phone.decode(), rendered(found.key, found.params, "en" if found.language == "en" else "id")

    async def _hand_over(self, letter: Letter) -> Result:
        """Each channel in turn until one takes it. A note stops at the first doubt: it may have arrived."""
        refusal = Result("queued", failure="no channel")
        for channel in self._channels:
            try:
                gateway_id = await channel.send(letter.phone, letter.text, str(letter.id))
                return Result("sent", channel.kind, gateway_id)
            except AgencyRejected as error:
                if not refusal.channel or refusal.state == "failed":
                    refusal = Result("failed", channel.kind, failure=error.code or "rejected")
            except AgencyUnavailable as error:
                failure = error.code or "unavailable"
                refusal = Result("queued", channel.kind, failure=failure, retry_after_s=error.retry_after_s or 0.0)
            except OutcomeUnknown as error:
                return Result("unknown" if letter.is_note else "queued", channel.kind, failure=error.code or "unknown")
        return refusal

    async def _write(self, outgoing_id: UUID, result: Result) -> None:
        """Note the result, and erase a note's phone and text unless it will be tried again."""
        values: dict[str, object] = {
            "state": result.state,
            "channel": result.channel,
            "gateway_id": result.gateway_id[:100],
            "failure": result.failure[:100],
        }
        if result.state != "queued":
            values |= {"phone_enc": None, "text_enc": None}
        async with self._database.transaction() as session:
            await session.execute(
                update(OutgoingMessage)
                .where(OutgoingMessage.id == outgoing_id)
                .values(values)
                .execution_options(synchronize_session=False)
            )


_NOTICE = (
    select(Message.key, Message.params, Citizen.language, Contact.value_enc)
    .join(Citizen, Citizen.id == Message.citizen_id)
    .join(Contact, and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None)))
)


def _why_over(row: OutgoingMessage) -> OutgoingState | None:
    """The state in which nothing is to be sent any more; None where it is."""
    if row.state in ("sent", "failed", "unknown", "discarded"):
        return cast(OutgoingState, row.state)
    if row.state == "sending" and row.message_id is None:
        return "unknown"  # a worker died over it: a code is not sent twice
    return "failed" if row.expires_at <= utc_now() else None


def _delay_s(attempts: int) -> float:
    """Exponential, half of it by chance, so that what failed together does not come back together."""
    longest = min(FIRST_DELAY_S * 2.0 ** (attempts - 1), LONGEST_DELAY_S)
    return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311 - spread, not a secret

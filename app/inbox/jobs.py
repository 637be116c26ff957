"""Handing messages to the channels: a notice for a day, a code while it lives, and a code never twice."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import delete

from app.database import Database, utc_now
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.inbox.actions import ASKS, CODES, NOTICE_LIFE_H, NOTICES, SendMessage, rendered
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, OutgoingMessage, OutgoingState
from app.inbox.port import Channel
from app.inbox.wishes import ABOUT_CASES, Wishes, digest, wishes_of
from app.jobs import Queue, RetryLater
from app.login.models import CONTACT
from app.privacy import Vault
from app.texts import Language

log = logging.getLogger("loket.inbox")

CONCURRENCY = 16
# Jobs taken from the queue for each place, over all workers: none waits for the queue's next look.
TAKEN_AHEAD = 8
FIRST_DELAY_S = 1.0
ASK_AGAIN_S = 60.0
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
    wanted: Sequence[str] | None = None  # kinds of channels in the citizen's order; None: all, in the city's


class Result(msgspec.Struct, frozen=True):
    """What became of one try."""

    state: OutgoingState
    channel: str = ""
    gateway_id: str = ""
    failure: str = ""
    retry_after_s: float = 0.0


def queues(database: Database, vault: Vault, channels: Sequence[Channel], zone: ZoneInfo) -> list[Queue[SendMessage]]:
    """The inbox's queues, for the worker, each with places of its own."""
    sending, taken = (CODES, NOTICES), CONCURRENCY * TAKEN_AHEAD
    rooms = {name: PostRoom(database, vault, channels, zone) for name in (*sending, ASKS)}
    return [
        *(Queue(name, SendMessage, rooms[name].run, concurrency=taken) for name in sending),
        Queue(ASKS, SendMessage, rooms[ASKS].ask, concurrency=CONCURRENCY),
    ]


async def purge(database: Database) -> None:
    """Remove what was sent, or could not be, long ago. A scheduled job runs it."""
    async with database.transaction() as session:
        await session.execute(delete(OutgoingMessage).where(OutgoingMessage.created_at < utc_now() - KEEP))


class PostRoom:
    """Takes one outgoing message through: claimed, handed over outside any transaction, result written down."""

    def __init__(self, database: Database, vault: Vault, channels: Sequence[Channel], zone: ZoneInfo) -> None:
        self._database = database
        self._vault = vault
        self._channels = channels
        self._zone = zone
        self._places = asyncio.Semaphore(CONCURRENCY)

    async def run(self, job: SendMessage) -> None:
        """Raises RetryLater while the channels are out of reach and the message still has a point."""
        async with self._places:
            await self._run(job)

    async def ask(self, job: SendMessage) -> None:
        """Ask the gateway what became of a message. Raises RetryLater while it is out of reach, for two days."""
        async with self._places:
            rows = await self._database.fetch(_TO_ASK, job.outgoing_id)
            for channel in (each for each in self._channels if rows and each.kind == rows[0]["channel"]):
                try:
                    reached = await channel.reached(rows[0]["gateway_id"])
                except AgencyUnavailable as error:
                    raise RetryLater(ASK_AGAIN_S, error.code or "unavailable") from None
                except AgencyRejected as error:
                    log.warning("message %s: %s", job.outgoing_id, error.detail)
                    return
                await self._database.fetch(_REACHED, job.outgoing_id, reached)

    async def _run(self, job: SendMessage) -> None:
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
        """The message, marked as being sent; None where there is nothing left to do. Raises RetryLater where its
        citizen wants to hear of it later."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_CLAIM, outgoing_id, False)
        wishes = None
        if row is not None and row["state"] == "queued":
            wishes = wishes_of(row)
            await self._wait(row, wishes)
            row = await self._claim_due(outgoing_id, row["citizen_id"], wishes)
        if row is None or row["state"] != "sending":
            return None
        is_note = row["message_id"] is None
        wanted = None if wishes is None else wishes.channels
        return Letter(row["id"], *await self._address(row), is_note, row["attempts"], wanted)

    async def _wait(self, row: Mapping[str, Any], wishes: Wishes) -> None:
        now = utc_now()
        due = wishes.due(row["created_at"], now, self._zone)
        if due > now:
            # What waits as its citizen asked is not late.
            await self._database.fetch(_PUT_OFF, row["id"], due + timedelta(hours=NOTICE_LIFE_H))
            raise RetryLater((due - now).total_seconds(), "as the citizen asked")

    async def _claim_due(self, outgoing_id: UUID, citizen_id: UUID, wishes: Wishes) -> Mapping[str, Any] | None:
        """The same for a message whose time has come; a digest takes the others that wait with it."""
        async with self._database.begin() as connection:
            # One at a time for a citizen: of those due at one moment, the first carries the rest.
            await connection.execute(_ONE_AT_A_TIME, citizen_id)
            if wishes.digest_at is not None:
                await connection.execute(_CARRY, outgoing_id, citizen_id)
            return await connection.fetchrow(_CLAIM, outgoing_id, True)

    async def _address(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Phone and words."""
        if row["message_id"] is None:
            phone = self._vault.decrypt(row["phone_enc"], NOTE_PHONE)
            return phone.decode(), self._vault.decrypt(row["text_enc"], NOTE_TEXT).decode()
        phone = self._vault.decrypt(row["contact_enc"], CONTACT)
        language: Language = "en" if row["language"] == "en" else "id"
        if row["carries"]:
            told = await self._database.fetch(_TOLD, [row["message_id"], *row["carries"]])
            return phone.decode(), digest([(each["key"], each["params"]) for each in told], language)
        return phone.decode(), rendered(row["key"], self._vault.unseal_all(row["params"]), language)

    async def _hand_over(self, letter: Letter) -> Result:
        """Each channel in turn until one takes it. A note stops at the first doubt: it may have arrived."""
        refusal = Result("queued", failure="no channel")
        channels = self._channels
        if letter.wanted is not None:
            channels = [each for kind in letter.wanted for each in self._channels if each.kind == kind]
            refusal = Result("queued" if channels else "discarded", failure="no channel")
        for channel in channels:
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
        over = result.state != "queued"
        told = (result.state, result.channel, result.gateway_id[:100], result.failure[:100])
        async with self._database.connection() as connection:
            await connection.execute(_WRITE, outgoing_id, *told, over)


# One statement, so one round trip and one commit. Nothing is sent of a code over which a worker died (it is not sent
# twice), of what came too late, and to whom there is no confirmed phone: that ends here, and its words are erased.
# A citizen's wishes are looked at only where there are some ($2: they were heeded, and its time has come).
_CLAIM = f"""
WITH standing AS (
    SELECT outgoing_messages.id AS standing_id, key, params, language, value_enc, messages.citizen_id AS whose,
    preferences.channels, quiet_from, quiet_until, digest_at, CASE
        WHEN state = 'sending' AND message_id IS NULL THEN 'unknown'
        WHEN expires_at <= now() THEN 'failed'
        WHEN state = 'discarded' OR coalesce(phone_enc, value_enc) IS NULL OR preferences.channels = '{{}}'
            THEN 'discarded'
        WHEN preferences.citizen_id IS NOT NULL AND NOT $2 THEN 'queued'
        ELSE 'sending' END AS following
    FROM outgoing_messages
    LEFT JOIN messages ON messages.id = message_id
    LEFT JOIN citizens ON citizens.id = messages.citizen_id
    LEFT JOIN contacts ON contacts.citizen_id = citizens.id AND kind = 'phone' AND confirmed_at IS NOT NULL
    LEFT JOIN preferences ON preferences.citizen_id = citizens.id AND starts_with(key, '{ABOUT_CASES}')
    WHERE outgoing_messages.id = $1 AND state IN ('queued', 'sending', 'discarded')
    FOR UPDATE OF outgoing_messages
)
UPDATE outgoing_messages SET state = following,
    attempts = CASE following WHEN 'sending' THEN attempts + 1 ELSE attempts END,
    phone_enc = CASE following WHEN 'sending' THEN phone_enc END,
    text_enc = CASE following WHEN 'sending' THEN text_enc END
FROM standing WHERE id = standing_id
RETURNING id, message_id, state, attempts, created_at, carries, phone_enc, text_enc, key, params, language,
    whose AS citizen_id, channels, quiet_from, quiet_until, digest_at,
    value_enc AS contact_enc, CASE WHEN message_id IS NOT NULL THEN set_config('synchronous_commit', 'off', true) END
"""  # noqa: S608 - a constant of ours
_PUT_OFF = "UPDATE outgoing_messages SET expires_at = greatest(expires_at, $2) WHERE id = $1 RETURNING 1"
_ONE_AT_A_TIME = "SELECT FROM preferences WHERE citizen_id = $1 FOR UPDATE"
_CARRY = f"""
WITH digest AS (
    SELECT id FROM outgoing_messages
    WHERE id = $1 AND state IN ('queued', 'sending') AND expires_at > now() FOR UPDATE
), carried AS (
    UPDATE outgoing_messages AS other SET state = 'carried' FROM messages, digest
    WHERE messages.id = other.message_id AND citizen_id = $2 AND starts_with(key, '{ABOUT_CASES}')
        AND state = 'queued' AND other.id <> digest.id
    RETURNING other.message_id
)
UPDATE outgoing_messages SET carries = carries || ARRAY(SELECT message_id FROM carried)
WHERE id IN (SELECT id FROM digest)
"""  # noqa: S608 - a constant of ours
_TOLD = "SELECT key, params FROM messages WHERE id = ANY($1::uuid[]) ORDER BY id"
_WRITE = """
UPDATE outgoing_messages SET state = $2, channel = $3, gateway_id = $4, failure = $5,
    phone_enc = CASE WHEN NOT $6 THEN phone_enc END, text_enc = CASE WHEN NOT $6 THEN text_enc END
WHERE id = $1 RETURNING set_config('synchronous_commit', 'off', true)
"""


_TO_ASK = """
SELECT channel, gateway_id FROM outgoing_messages
WHERE id = $1 AND state = 'sent' AND reached NOT IN ('sent', 'failed') AND created_at > now() - interval '2 days'
"""
# What is said late never takes back an end.
_REACHED = """
UPDATE outgoing_messages SET reached = $2, reached_at = now()
WHERE id = $1 AND reached NOT IN ('sent', 'failed') AND reached <> $2 RETURNING 1
"""


def _delay_s(attempts: int) -> float:
    """Exponential, half of it by chance, so that what failed together does not come back together."""
    longest = min(FIRST_DELAY_S * 2.0 ** (attempts - 1), LONGEST_DELAY_S)
    return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311 - spread, not a secret

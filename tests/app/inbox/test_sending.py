"""Handing messages over: what is tried again, what never is, and that nothing readable is left behind."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.inbox.actions import InboxCourier, SendMessage, notify
from app.inbox.jobs import FIRST_DELAY_S, LONGEST_DELAY_S, PostRoom, _delay_s, purge, queues
from app.inbox.models import Message, OutgoingMessage
from app.inbox.port import Channel, ChannelKind, Reached
from app.jobs import RetryLater
from app.login.courier import Note
from tests.app.login.journey import Journey, somebody

PHONE = "+6281290055555"
ZONE = ZoneInfo("Asia/Jakarta")


class Sent(msgspec.Struct, frozen=True):
    to: str
    text: str
    reference: str


class Gateway(Channel):
    """A channel that keeps what it is given, or fails as told."""

    kind: ClassVar[ChannelKind] = "whatsapp"

    def __init__(self, fail: Callable[[], Exception] | None = None) -> None:
        self.fail = fail
        self.sent: list[Sent] = []
        self.tries = 0

    async def send(self, to: str, text: str, reference: str) -> str:
        self.tries += 1
        if self.fail:
            raise self.fail()
        self.sent.append(Sent(to, text, reference))
        return f"gw-{self.tries}"

    async def reached(self, gateway_id: str) -> Reached:
        if gateway_id not in (f"gw-{number}" for number in range(1, self.tries + 1)):
            raise rejected()
        return "sent"


class Sms(Gateway):
    kind: ClassVar[ChannelKind] = "sms"


def unavailable() -> Exception:
    return AgencyUnavailable("gateway", "send", "down", code="down")


def rejected() -> Exception:
    return AgencyRejected("gateway", "send", "no such number", code="target_invalid")


def unknown() -> Exception:
    return OutcomeUnknown("gateway", "send", "answer lost", code="lost")


async def note(journey: Journey, phone: str | None = PHONE, lives_s: float = 300) -> UUID:
    courier = InboxCourier(journey.vault)
    async with journey.database.transaction() as session:
        given = Note(
            phone=phone,
            key="login.code_for_login",
            params={"code": "246810"},
            language="id",
            expires_at=utc_now() + timedelta(seconds=lives_s),
        )
        await courier.send(session, given)
        return await _newest(session)


async def notice(journey: Journey, citizen_id: UUID) -> UUID:
    async with journey.database.transaction() as session:
        await notify(session, citizen_id, "inbox.case_approved", {"number": "SL-1", "service": "reklame"})
        return await _newest(session)


async def _newest(session: AsyncSession) -> UUID:
    found = await session.scalar(select(OutgoingMessage.id).order_by(OutgoingMessage.id.desc()).limit(1))
    assert isinstance(found, UUID)
    return found


async def row(journey: Journey, outgoing_id: UUID) -> OutgoingMessage:
    async with journey.database.transaction() as session:
        found = await session.get(OutgoingMessage, outgoing_id)
    assert found is not None
    return found


async def run(journey: Journey, outgoing_id: UUID, *channels: Channel) -> None:
    await PostRoom(journey.database, journey.vault, channels, ZONE).run(SendMessage(outgoing_id))


@pytest.fixture(scope="module")
async def citizen_id(journey: Journey) -> UUID:
    await journey.register(somebody())
    async with journey.database.transaction() as session:
        found = await session.scalar(text("select id from citizens order by id desc limit 1"))
    assert isinstance(found, UUID)
    return found


async def test_code_is_sent_and_erased(journey: Journey) -> None:
    gateway = Gateway()
    outgoing_id = await note(journey)
    stored = await row(journey, outgoing_id)
    assert stored.text_enc is not None
    assert b"246810" not in stored.text_enc
    await run(journey, outgoing_id, gateway)
    assert [(sent.to, sent.reference) for sent in gateway.sent] == [(PHONE, str(outgoing_id))]
    assert "246810" in gateway.sent[0].text
    after = await row(journey, outgoing_id)
    assert (after.state, after.channel, after.gateway_id, after.attempts) == ("sent", "whatsapp", "gw-1", 1)
    assert (after.text_enc, after.phone_enc) == (None, None)


async def test_job_that_comes_twice_sends_once(journey: Journey) -> None:
    gateway = Gateway()
    outgoing_id = await note(journey)
    for _ in range(2):
        await run(journey, outgoing_id, gateway)
    assert gateway.tries == 1


async def test_note_to_nobody_goes_nowhere(journey: Journey) -> None:
    gateway = Gateway()
    outgoing_id = await note(journey, phone=None)
    await run(journey, outgoing_id, gateway)
    assert gateway.tries == 0
    after = await row(journey, outgoing_id)
    assert (after.state, after.text_enc, after.phone_enc) == ("discarded", None, None)


async def test_gateway_down_is_tried_again_until_it_is_back(journey: Journey) -> None:
    gateway = Gateway(unavailable)
    outgoing_id = await note(journey)
    for attempt in range(1, 4):
        with pytest.raises(RetryLater) as later:
            await run(journey, outgoing_id, gateway)
        assert FIRST_DELAY_S * 2 ** (attempt - 1) / 2 <= later.value.delay_s <= FIRST_DELAY_S * 2 ** (attempt - 1)
    assert (await row(journey, outgoing_id)).text_enc is not None
    gateway.fail = None
    await run(journey, outgoing_id, gateway)
    assert (await row(journey, outgoing_id)).state == "sent"
    assert len(gateway.sent) == 1


async def test_retry_after_is_obeyed(journey: Journey) -> None:
    gateway = Gateway(lambda: AgencyUnavailable("gateway", "send", "busy", retry_after_s=120))
    with pytest.raises(RetryLater) as later:
        await run(journey, await note(journey), gateway)
    assert later.value.delay_s >= 120


async def test_code_past_its_life_is_not_sent(journey: Journey) -> None:
    gateway = Gateway()
    outgoing_id = await note(journey, lives_s=-1)
    await run(journey, outgoing_id, gateway)
    after = await row(journey, outgoing_id)
    assert (after.state, after.text_enc, gateway.tries) == ("failed", None, 0)


async def test_code_that_may_have_arrived_is_never_sent_again(journey: Journey) -> None:
    gateway, other = Gateway(unknown), Sms()
    outgoing_id = await note(journey)
    for _ in range(2):
        await run(journey, outgoing_id, gateway, other)
    after = await row(journey, outgoing_id)
    assert (after.state, after.text_enc, gateway.tries, other.tries) == ("unknown", None, 1, 0)


async def test_worker_that_died_over_a_code_does_not_send_it_again(journey: Journey) -> None:
    gateway = Gateway()
    outgoing_id = await note(journey)
    async with journey.database.transaction() as session:
        await session.execute(
            text("update outgoing_messages set state = 'sending' where id = :id"), {"id": str(outgoing_id)}
        )
    await run(journey, outgoing_id, gateway)
    after = await row(journey, outgoing_id)
    assert (after.state, after.text_enc, gateway.tries) == ("unknown", None, 0)


async def test_notice_that_may_have_arrived_is_sent_again(journey: Journey, citizen_id: UUID) -> None:
    gateway = Gateway(unknown)
    outgoing_id = await notice(journey, citizen_id)
    with pytest.raises(RetryLater):
        await run(journey, outgoing_id, gateway)
    gateway.fail = None
    await run(journey, outgoing_id, gateway)
    assert [sent.reference for sent in gateway.sent] == [str(outgoing_id)]


async def test_refused_number_ends_it(journey: Journey) -> None:
    gateway = Gateway(rejected)
    outgoing_id = await note(journey)
    await run(journey, outgoing_id, gateway)
    after = await row(journey, outgoing_id)
    assert (after.state, after.failure, after.text_enc) == ("failed", "target_invalid", None)


@pytest.mark.parametrize("first", [unavailable, rejected])
async def test_second_channel_takes_what_the_first_cannot(journey: Journey, first: Callable[[], Exception]) -> None:
    second = Sms()
    outgoing_id = await note(journey)
    await run(journey, outgoing_id, Gateway(first), second)
    assert (await row(journey, outgoing_id)).channel == "sms"
    assert len(second.sent) == 1


@pytest.mark.parametrize("order", [(unavailable, rejected), (rejected, unavailable)])
async def test_not_given_up_while_one_channel_may_come_back(
    journey: Journey, order: Sequence[Callable[[], Exception]]
) -> None:
    outgoing_id = await note(journey)
    with pytest.raises(RetryLater):
        await run(journey, outgoing_id, *(Gateway(fail) for fail in order))
    assert (await row(journey, outgoing_id)).state == "queued"


async def test_no_channel_at_all_keeps_the_message(journey: Journey) -> None:
    outgoing_id = await note(journey)
    with pytest.raises(RetryLater):
        await run(journey, outgoing_id)
    assert (await row(journey, outgoing_id)).text_enc is not None


async def test_notice_in_the_citizens_language(journey: Journey, citizen_id: UUID) -> None:
    gateway = Gateway()
    for language in ("id", "en"):
        async with journey.database.transaction() as session:
            await session.execute(
                text("update citizens set language = :language where id = :id"),
                {"language": language, "id": str(citizen_id)},
            )
        await run(journey, await notice(journey, citizen_id), gateway)
    assert gateway.sent[0].text.startswith("Kabar baik: permohonan SL-1")
    assert gateway.sent[1].text.startswith("Good news: SL-1")


async def test_notice_to_a_citizen_without_a_phone_stays_in_the_inbox(journey: Journey, citizen_id: UUID) -> None:
    gateway = Gateway()
    outgoing_id = await notice(journey, citizen_id)
    async with journey.database.transaction() as session:
        await session.execute(
            text("update contacts set confirmed_at = null where citizen_id = :id"), {"id": str(citizen_id)}
        )
    await run(journey, outgoing_id, gateway)
    assert ((await row(journey, outgoing_id)).state, gateway.tries) == ("discarded", 0)
    async with journey.database.transaction() as session:
        assert await session.scalar(select(Message.id).where(Message.citizen_id == citizen_id).limit(1))


async def test_message_of_a_transaction_that_failed_never_was(journey: Journey, citizen_id: UUID) -> None:
    async def count() -> list[int]:
        tables = ("messages", "outgoing_messages", "pgqueuer")
        async with journey.database.transaction() as session:
            return [int(await session.scalar(text(f"select count(*) from {table}")) or 0) for table in tables]

    async def fail_after_notifying() -> None:
        async with journey.database.transaction() as session:
            await notify(session, citizen_id, "inbox.case_approved", {"number": "SL-1", "service": "reklame"})
            raise ZeroDivisionError

    before = await count()
    with pytest.raises(ZeroDivisionError):
        await fail_after_notifying()
    assert await count() == before


async def test_purge_takes_the_old(journey: Journey) -> None:
    old, young = await note(journey), await note(journey)
    async with journey.database.transaction() as session:
        await session.execute(
            text("update outgoing_messages set created_at = now() - interval '31 days' where id = :id"),
            {"id": str(old)},
        )
    await purge(journey.database)
    async with journey.database.transaction() as session:
        assert await session.get(OutgoingMessage, old) is None
    assert (await row(journey, young)).state == "queued"


def test_delay_grows_and_stops_growing() -> None:
    assert all(_delay_s(attempts) <= LONGEST_DELAY_S for attempts in (1, 10, 60, 500))
    assert _delay_s(60) >= LONGEST_DELAY_S / 2


def test_codes_have_a_queue_of_their_own(journey: Journey) -> None:
    names = [queue.name for queue in queues(journey.database, journey.vault, [], ZONE)]
    assert names == ["inbox.code", "inbox.send", "inbox.ask"]

"""A citizen says how to be told of their cases: which channels, when not, and all of a day in one message."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.database import utc_now
from app.errors import AgencyUnavailable
from app.inbox.actions import NOTICES, SendMessage, notify
from app.inbox.jobs import PostRoom
from app.inbox.port import Channel, ChannelKind, Reached
from app.inbox.wishes import Wishes, is_within
from app.jobs import RetryLater
from tests.app.login.journey import Journey, assert_problem, somebody

ZONE = ZoneInfo("Asia/Jakarta")
PATH = "/v1/me/preferences"
USUAL: Mapping[str, Any] = {"channels": ["whatsapp"], "quiet_hours": None, "digest_at": None}


class Phone(Channel):
    """A gateway that keeps what it is given, or is away."""

    kind: ClassVar[ChannelKind] = "whatsapp"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.away = False

    async def send(self, to: str, text: str, reference: str) -> str:
        if self.away:
            raise AgencyUnavailable("gateway", "send", "away")
        self.sent.append(text)
        return str(len(self.sent))

    async def reached(self, gateway_id: str) -> Reached:
        return "sent"


class Sms(Phone):
    kind: ClassVar[ChannelKind] = "sms"


class Reader:
    """A citizen, what is written to them, and the phone it may come to."""

    def __init__(self, journey: Journey, token: str, citizen_id: UUID) -> None:
        self.journey, self.token, self.id = journey, token, citizen_id
        self.phone = Phone()

    async def prefer(self, **changed: object) -> None:
        async with self.journey.api.client(token=self.token) as client:
            answer = await client.put(PATH, json={**USUAL, **changed})
        assert answer.status_code == 200, answer.text

    async def told(self, number: str, key: str = "inbox.case_approved") -> UUID:
        """Write to them; the id of what goes to the phone."""
        async with self.journey.database.transaction() as session:
            message_id = await notify(session, self.id, key, {"number": number, "service": "reklame"})
            found = await session.scalar(
                text("select id from outgoing_messages where message_id = :id"), {"id": message_id}
            )
        assert isinstance(found, UUID)
        return found

    async def send(self, outgoing_id: UUID, *channels: Channel) -> None:
        room = PostRoom(self.journey.database, self.journey.vault, channels or (self.phone,), ZONE)
        await room.run(SendMessage(outgoing_id))

    async def waits_s(self, outgoing_id: UUID) -> float:
        with pytest.raises(RetryLater) as later:
            await self.send(outgoing_id)
        return later.value.delay_s

    async def states(self, *outgoing: UUID) -> Sequence[str]:
        async with self.journey.database.connection() as connection:
            rows = await connection.fetch("SELECT id, state FROM outgoing_messages WHERE id = ANY($1)", list(outgoing))
        found = {row["id"]: row["state"] for row in rows}
        return [found[each] for each in outgoing]

    async def age(self, *outgoing: UUID) -> None:
        """As if they had come up two days ago and may still be sent."""
        async with self.journey.database.connection() as connection:
            await connection.execute(
                "UPDATE outgoing_messages SET created_at = now() - interval '2 days' WHERE id = ANY($1)", list(outgoing)
            )


@pytest.fixture
async def reader(journey: Journey) -> Reader:
    token = (await journey.register(somebody()))["access_token"]
    async with journey.database.transaction() as session:
        found = await session.scalar(text("select id from citizens order by id desc limit 1"))
    assert isinstance(found, UUID)
    return Reader(journey, token, found)


def clock(from_now: timedelta) -> str:
    return (utc_now() + from_now).astimezone(ZONE).strftime("%H:%M")


def around_now() -> Mapping[str, str]:
    return {"from": clock(-timedelta(hours=2)), "until": clock(timedelta(hours=2))}


async def test_all_is_as_usual_until_they_choose(reader: Reader) -> None:
    async with reader.journey.api.client(token=reader.token) as client:
        before = (await client.get(PATH)).json()
        assert before["channels"] == before["offered_channels"] != []
        assert (before["quiet_hours"], before["digest_at"], before["changed_at"]) == (None, None, None)
        wanted = {"channels": [], "quiet_hours": {"from": "21:00", "until": "05:30"}, "digest_at": "07:00"}
        given = await client.put(PATH, json=wanted)
        assert given.status_code == 200
        assert given.json().items() >= wanted.items()
        assert (await client.get(PATH)).json() == given.json()
    async with reader.journey.database.connection() as connection:
        audited = "SELECT count(*) FROM audit_rows WHERE subject_id = $1 AND action = 'preferences.changed'"
        assert await connection.fetchval(audited, reader.id) == 1


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"channels": ["email"]}, "/channels/0", "channel_not_offered"),
        ({"channels": ["whatsapp", "whatsapp"]}, "/channels/1", "channel_twice"),
        ({"quiet_hours": {"from": "21:00", "until": "21:00"}}, "/quiet_hours/until", "quiet_hours_empty"),
        (
            {"quiet_hours": {"from": "21:00", "until": "06:00"}, "digest_at": "05:59"},
            "/digest_at",
            "digest_in_quiet_hours",
        ),
        ({"digest_at": "24:00"}, "/digest_at", None),
        ({"channels": ["pigeon"]}, "/channels/0", None),
        ({"colour": "red"}, None, None),
    ],
)
async def test_what_cannot_be_is_told_by_its_place(
    reader: Reader, changed: dict[str, object], pointer: str | None, code: str | None
) -> None:
    async with reader.journey.api.client(token=reader.token) as client:
        answer = await client.put(PATH, json={**USUAL, **changed})
    fault = assert_problem(answer, 422, "validation_failed")["errors"][0]
    assert pointer in (None, fault["pointer"])
    assert code in (None, fault["code"])


async def test_no_channel_leaves_it_in_the_inbox_alone(reader: Reader) -> None:
    await reader.prefer(channels=[])
    outgoing_id = await reader.told("SL-1")
    await reader.send(outgoing_id)
    assert (await reader.states(outgoing_id), reader.phone.sent) == (["discarded"], [])
    async with reader.journey.api.client(token=reader.token) as client:
        assert "SL-1" in (await client.get("/v1/inbox")).json()["items"][0]["text"]


async def test_a_channel_that_they_left_out_is_not_tried(reader: Reader) -> None:
    sms = Sms()
    outgoing_id = await reader.told("SL-1")
    await reader.prefer(channels=["whatsapp"])
    await reader.send(outgoing_id, sms, reader.phone)
    assert (len(sms.sent), len(reader.phone.sent)) == (0, 1)
    gone = await reader.told("SL-2")
    await reader.send(gone, sms)
    assert (await reader.states(gone), sms.sent) == (["discarded"], [])


async def test_quiet_hours_put_a_message_off_to_their_end(reader: Reader) -> None:
    await reader.prefer(quiet_hours=around_now())
    outgoing_id = await reader.told("SL-1")
    assert 3600 < await reader.waits_s(outgoing_id) <= 7200
    assert (await reader.states(outgoing_id), reader.phone.sent) == (["queued"], [])


async def test_what_concerns_the_account_never_waits(reader: Reader) -> None:
    await reader.prefer(channels=[], quiet_hours=around_now())
    outgoing_id = await reader.told("SL-1", key="login.session_stolen")
    await reader.send(outgoing_id)
    assert await reader.states(outgoing_id) == ["sent"]


async def test_a_digest_tells_of_all_that_waited_in_one_message(reader: Reader) -> None:
    await reader.prefer(digest_at=clock(timedelta(hours=3)))
    outgoing = [await reader.told(f"SL-{number}") for number in range(7)]
    assert 7200 < await reader.waits_s(outgoing[0]) <= 10_800
    await reader.age(*outgoing)
    reader.phone.away = True
    await reader.waits_s(outgoing[3])
    late = await reader.told("SL-7")
    await reader.age(late)
    reader.phone.away = False
    for each in (*outgoing, late, outgoing[3]):
        await reader.send(each)
    assert (await reader.states(*outgoing, late)).count("carried") == 7
    (told,) = reader.phone.sent
    lines = told.splitlines()
    assert lines[0] == "Satu Loket: 8 kabar tentang permohonan Anda."
    assert [f"SL-{number}" in lines[number + 1] for number in range(5)] == [True] * 5
    assert lines[6:] == ["- Dan 3 kabar lagi di kotak masuk Anda."]


async def test_one_that_waited_alone_comes_as_it_is(reader: Reader) -> None:
    await reader.prefer(digest_at=clock(timedelta(hours=3)))
    outgoing_id = await reader.told("SL-1")
    await reader.age(outgoing_id)
    await reader.send(outgoing_id)
    assert reader.phone.sent[0].startswith("Kabar baik")


async def test_who_changes_their_mind_hears_at_once_of_what_waited(reader: Reader) -> None:
    await reader.prefer(quiet_hours=around_now())
    outgoing_id = await reader.told("SL-1")
    await reader.waits_s(outgoing_id)
    await reader.prefer()
    await reader.prefer()
    async with reader.journey.database.connection() as connection:
        due = await connection.fetch(
            "SELECT 1 FROM pgqueuer WHERE dedupe_key = $1 AND execute_after <= now()", f"{NOTICES}:{outgoing_id}"
        )
    assert len(due) == 1
    await reader.send(outgoing_id)
    assert len(reader.phone.sent) == 1


async def test_a_message_that_waits_as_asked_does_not_grow_too_old_for_it(reader: Reader) -> None:
    await reader.prefer(digest_at=clock(timedelta(hours=23)))
    outgoing_id = await reader.told("SL-1")
    waits_s = await reader.waits_s(outgoing_id)
    async with reader.journey.database.connection() as connection:
        lives = await connection.fetchval("SELECT expires_at - now() FROM outgoing_messages WHERE id = $1", outgoing_id)
    assert lives > timedelta(seconds=waits_s, hours=12)


@pytest.mark.parametrize(
    ("wishes", "since", "now", "due"),
    [
        (Wishes([]), "01:00", "02:00", "02:00"),
        (Wishes([], digest_at=time(7)), "06:59", "06:59", "07:00"),
        (Wishes([], digest_at=time(7)), "06:59", "07:30", "07:30"),
        (Wishes([], digest_at=time(7)), "07:01", "07:01", "31:00"),
        (Wishes([], quiet=(time(21), time(6))), "20:59", "20:59", "20:59"),
        (Wishes([], quiet=(time(21), time(6))), "21:00", "21:00", "30:00"),
        (Wishes([], quiet=(time(21), time(6))), "05:59", "05:59", "06:00"),
        (Wishes([], quiet=(time(12), time(13))), "12:30", "12:30", "13:00"),
        (Wishes([], quiet=(time(21), time(6)), digest_at=time(7)), "22:00", "22:00", "31:00"),
    ],
)
def test_when_it_may_go_out(wishes: Wishes, since: str, now: str, due: str) -> None:
    def moment(said: str) -> datetime:
        hours, minutes = said.split(":")
        return datetime(2026, 11, 22, tzinfo=ZONE) + timedelta(hours=int(hours), minutes=int(minutes))

    assert wishes.due(moment(since).astimezone(UTC), moment(now).astimezone(UTC), ZONE) == moment(due)


def test_the_end_of_quiet_hours_is_not_quiet() -> None:
    night = (time(21), time(6))
    assert [is_within(time(hour), night) for hour in (20, 21, 0, 5, 6)] == [False, True, True, True, False]

"""What agencies told, shared over a real Valkey: asked once, told to whom it belongs, and to nobody else."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from app import agency_reads
from app.agency_reads import Reads, Seen, Wanted, note_allowance, stale_after
from app.errors import AgencyRejected, AgencyUnavailable, NotFound
from app.manifest import OperationPolicy
from app.valkey import Valkey
from tests.harness.calling import NOWHERE
from tests.harness.keys import new_vault
from tests.harness.waiting import until

VAULT = new_vault()
DOWN = AgencyUnavailable("agency", "read", "HTTP 500")


class Person(msgspec.Struct, frozen=True):
    """What an agency tells of somebody."""

    name: str


class Agency:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.takes_s = 0.0
        self.failure: Exception | None = None

    def of(self, name: str) -> Callable[[], Awaitable[Person]]:
        async def ask() -> Person:
            self.asked += 1
            count = self.asked
            await asyncio.sleep(self.takes_s)
            if self.failure is not None:
                raise self.failure
            return Person(f"{name} {count}")

        return ask


@pytest.fixture
def agency() -> Agency:
    return Agency()


def wanted(who: str = "siti", **more: float | str | bool) -> Wanted:
    """Something nobody asked for before."""
    told: dict[str, float | str | bool] = {"scope": uuid4().hex, "fresh_s": 5.0, "stale_s": 60.0, "rest_s": 0.5}
    return msgspec.convert({"what": "person", "subject": who, "actor": who, **told, **more}, Wanted)


@asynccontextmanager
async def processes(valkey_url: str, how_many: int = 2) -> AsyncIterator[list[Reads]]:
    valkeys = [Valkey(valkey_url) for _ in range(how_many)]
    try:
        yield [Reads(valkey, VAULT) for valkey in valkeys]
    finally:
        for valkey in valkeys:
            await valkey.close()


async def get(reads: Reads, question: Wanted, agency: Agency) -> Seen[Person]:
    return await reads.get(question, Person, agency.of(question.subject))


async def get_by(by: float, reads: Reads, question: Wanted, agency: Agency) -> Seen[Person]:
    """The same by who takes the last answer from then on; nobody else is in a hurry for it."""

    async def hurried() -> Seen[Person]:
        stale_after.set(by)
        return await get(reads, question, agency)

    return await asyncio.create_task(hurried())


async def test_a_crowd_in_three_processes_is_one_question(valkey_url: str, agency: Agency) -> None:
    agency.takes_s, question = 0.3, wanted()
    async with processes(valkey_url, 3) as all_of_them:
        seen = await asyncio.gather(*(get(each, question, agency) for each in all_of_them for _ in range(50)))
    assert agency.asked == 1
    assert {each.value.name for each in seen} == {"siti 1"}
    assert len({each.as_of for each in seen}) == 1


async def test_another_actor_subject_or_scope_is_another_question(valkey_url: str, agency: Agency) -> None:
    question = wanted()
    others = [
        msgspec.structs.replace(question, subject="budi"),
        msgspec.structs.replace(question, actor="budi"),
        msgspec.structs.replace(question, scope="else"),
        msgspec.structs.replace(question, what="else"),
        msgspec.structs.replace(question, subject="sit", actor="isiti"),
    ]
    async with processes(valkey_url) as (one, other):
        for each in (question, *others):
            await get(one, each, agency)
            await get(other, each, agency)
    assert agency.asked == 6
    assert len({each.identity for each in (question, *others)}) == 6


@pytest.mark.parametrize("kind", ["another's", "another's with another key", "plain", "cut", "an older one's time"])
async def test_what_was_planted_under_anothers_key_is_never_served(valkey_url: str, agency: Agency, kind: str) -> None:
    mine, theirs = wanted("siti"), wanted("budi")
    async with processes(valkey_url) as (one, other):
        await get(one, theirs, agency)
        await get(one, mine, agency)
        async with Redis.from_url(valkey_url) as valkey:
            their_key, my_key = other._keys(theirs)[0], other._keys(mine)[0]
            theirs_sealed, mine_sealed = msgspec.convert(await valkey.mget([their_key, my_key]), list[bytes])
            old = msgspec.json.encode((datetime.now(UTC) - timedelta(hours=1), Person("budi")))
            planted = {
                "another's": theirs_sealed,
                "another's with another key": new_vault().encrypt(
                    msgspec.json.encode((datetime.now(UTC), Person("budi"))), f"agency_reads.{mine.identity}"
                ),
                "plain": msgspec.json.encode((datetime.now(UTC), Person("budi"))),
                "cut": mine_sealed[:-1],
                "an older one's time": VAULT.encrypt(old, f"agency_reads.{mine.identity}"),
            }[kind]
            await valkey.set(my_key, planted, px=60_000)
            await valkey.set(f"{my_key}.fresh", "1", px=60_000)
        seen = await get(other, mine, agency)
    assert seen.value.name.startswith("siti"), "another person's answer was served"
    assert agency.asked == 3


async def test_nothing_in_valkey_tells_of_anybody(valkey_url: str, agency: Agency) -> None:
    question = wanted("Siti-Kanaria")
    async with processes(valkey_url, 1) as [one]:
        await get(one, question, agency)
        async with Redis.from_url(valkey_url) as valkey:
            keys = [key async for key in valkey.scan_iter("read:*")]
            stored = b"".join([*keys, *msgspec.convert(await valkey.mget(keys), list[bytes])])
            assert all([await valkey.pttl(key) > 0 for key in keys]), "something stays for ever"
    assert keys
    assert b"Kanaria" not in stored


async def test_it_is_asked_again_after_its_time(valkey_url: str, agency: Agency) -> None:
    question = wanted(fresh_s=0.3)
    async with processes(valkey_url) as (one, other):
        first = await get(one, question, agency)
        await asyncio.sleep(0.4)
        second = await get(other, question, agency)
    assert (first.value.name, second.value.name, second.is_stale) == ("siti 1", "siti 2", False)


async def test_old_is_shown_while_new_is_asked_for(valkey_url: str, agency: Agency) -> None:
    question = wanted(fresh_s=0.2, revalidate_s=60.0)
    async with processes(valkey_url, 1) as [one]:
        first = await get(one, question, agency)
        await asyncio.sleep(0.3)
        agency.takes_s = 0.5
        began = time.monotonic()
        shown = await get(one, question, agency)
        assert time.monotonic() - began < 0.4
        assert (shown.value, shown.as_of, shown.is_stale) == (first.value, first.as_of, True)
        await until(lambda: one._kept[question.identity].value.name == "siti 2")


@pytest.mark.parametrize("place", ["this process", "another"])
async def test_who_is_in_a_hurry_takes_the_last_while_the_agency_is_slow(
    valkey_url: str, agency: Agency, place: str
) -> None:
    question = wanted(fresh_s=0.1, budget_s=30.0)
    async with processes(valkey_url) as (one, other):
        first = await get(one, question, agency)
        await asyncio.sleep(0.2)
        agency.takes_s = 60.0
        shown = await get_by(time.monotonic() + 1.0, one if place == "this process" else other, question, agency)
        assert (shown.value, shown.as_of, shown.is_stale) == (first.value, first.as_of, True)


async def test_who_is_in_a_hurry_and_finds_nothing_waits(valkey_url: str, agency: Agency) -> None:
    agency.takes_s = 0.3
    async with processes(valkey_url, 1) as [one]:
        assert (await get_by(time.monotonic(), one, wanted(), agency)).value.name == "siti 1"


async def test_who_is_in_none_takes_the_old_one_only_where_there_is_no_new_one(valkey_url: str, agency: Agency) -> None:
    question = wanted(fresh_s=0.1, revalidate_s=60.0, rest_s=0.0)
    async with processes(valkey_url, 1) as [one]:
        await get(one, question, agency)
        await asyncio.sleep(0.2)
        assert (await get_by(math.inf, one, question, agency)).value.name == "siti 2"
        await asyncio.sleep(0.2)
        agency.failure = DOWN
        assert (await get_by(math.inf, one, question, agency)).value.name == "siti 2"


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_the_last_is_shown_as_stale_while_the_agency_fails(valkey_url: str, agency: Agency, valkey: str) -> None:
    question = wanted(fresh_s=0.2, rest_s=30.0)
    async with processes(valkey_url if valkey == "up" else NOWHERE, 1) as [one]:
        first = await get(one, question, agency)
        await asyncio.sleep(0.3)
        agency.failure = DOWN
        shown = [await get(one, question, agency) for _ in range(20)]
    assert {(each.value.name, each.as_of, each.is_stale) for each in shown} == {("siti 1", first.as_of, True)}
    assert agency.asked == 2, "after a failure nobody asks for a while"


async def test_another_process_shows_it_too(valkey_url: str, agency: Agency) -> None:
    question = wanted(fresh_s=0.2)
    async with processes(valkey_url) as (one, other):
        first = await get(one, question, agency)
        await asyncio.sleep(0.3)
        agency.failure = DOWN
        shown = await get(other, question, agency)
    assert (shown.value, shown.as_of, shown.is_stale) == (first.value, first.as_of, True)


async def test_what_was_told_too_long_ago_is_not_shown(valkey_url: str, agency: Agency) -> None:
    question = wanted(fresh_s=0.1, stale_s=0.3)
    async with processes(valkey_url) as (one, other):
        await get(one, question, agency)
        await asyncio.sleep(0.5)
        agency.failure = DOWN
        for each in (one, other):
            with pytest.raises(AgencyUnavailable):
                await get(each, question, agency)


@pytest.mark.parametrize("failure", [AgencyRejected("agency", "read", "no"), NotFound("unknown")])
async def test_a_refusal_is_an_answer_and_no_reason_for_an_old_one(
    valkey_url: str, agency: Agency, failure: Exception
) -> None:
    question = wanted(fresh_s=0.1)
    async with processes(valkey_url, 1) as [one]:
        await get(one, question, agency)
        await asyncio.sleep(0.2)
        agency.failure = failure
        with pytest.raises(type(failure)):
            await get(one, question, agency)
        agency.failure = None
        assert (await get(one, question, agency)).value.name == "siti 3"


async def test_a_process_killed_while_asking_keeps_nobody_waiting_for_long(valkey_url: str, agency: Agency) -> None:
    question = wanted(budget_s=0.5)
    async with processes(valkey_url, 1) as [one]:
        # As a process leaves it that was killed between taking its turn and telling: nothing but the turn.
        await one._valkey.run_script(agency_reads._READ, one._keys(question), [500])
        began = time.monotonic()
        with pytest.raises(AgencyUnavailable):
            await get(one, question, agency)
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.6)
        assert (await get(one, question, agency)).value.name == "siti 1"


async def test_an_agency_that_hangs_keeps_nobody_longer_than_the_budget(valkey_url: str, agency: Agency) -> None:
    agency.takes_s, question = 60, wanted(budget_s=0.5)
    async with processes(valkey_url) as both:
        began = time.monotonic()
        seen = await asyncio.gather(
            *(get(each, question, agency) for each in both for _ in range(20)), return_exceptions=True
        )
        assert time.monotonic() - began < 5
    assert all(isinstance(each, AgencyUnavailable) for each in seen)
    assert agency.asked <= 2


async def test_one_who_goes_away_ends_nothing_for_the_others(valkey_url: str, agency: Agency) -> None:
    agency.takes_s, question = 0.3, wanted()
    async with processes(valkey_url, 1) as [one]:
        first = asyncio.create_task(get(one, question, agency))
        await until(lambda: agency.asked == 1)
        second = asyncio.create_task(get(one, question, agency))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).value.name == "siti 1"
    assert agency.asked == 1


async def test_a_backend_may_allow_less_than_the_service_wishes(valkey_url: str, agency: Agency) -> None:
    async def ask() -> Person:
        note_allowance(OperationPolicy(safe=True, fresh_s=0.2, stale_s=0.4))
        note_allowance(OperationPolicy(safe=True))
        return await agency.of("siti")()

    question = wanted(fresh_s=60.0)
    async with processes(valkey_url) as (one, other):
        await one.get(question, Person, ask)
        await asyncio.sleep(0.3)
        assert (await other.get(question, Person, ask)).value.name == "siti 2"


async def test_what_is_not_shared_stays_in_its_process(valkey_url: str, agency: Agency) -> None:
    question = wanted(shared=False)
    async with processes(valkey_url) as both:
        for each in both * 3:
            await get(each, question, agency)
        assert both[0].recent(question).value.name == "siti 1"
    assert agency.asked == 2


async def test_what_it_keeps_is_bounded(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agency_reads, "MOST_KEPT", 10)
    async with processes(NOWHERE, 1) as [one]:
        for _ in range(30):
            await get(one, wanted(shared=False), agency)
        assert len(one._kept) == 10
        agency.failure = DOWN
        for _ in range(30):
            with pytest.raises(AgencyUnavailable):
                await get(one, wanted(shared=False), agency)
        assert len(one._rests) == 10
        assert not one._asking

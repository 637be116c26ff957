"""The home as events: at once what is known, then what was late or old, then the end; and nothing stays behind.

What the parts hold is the test's own here, so that each comes, fails or hangs as it should.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import httpx
import pytest
from litestar import Litestar

from app.agency_reads import Wanted
from app.cases.streams import MOST_PER_CITIZEN
from app.database import utc_now
from app.errors import AgencyUnavailable
from app.home import gathering
from app.home.gathering import Placed
from app.home.port import Asker, Bill, Kind, Part, Told
from tests.harness.people import Citizen, People
from tests.harness.product import Api, running_api
from tests.harness.waiting import until

PATH = "/v1/home"


class Source(Part[Bill]):
    """Tells one bill once `let` is set: directly or, `through_reads`, as an agency is asked."""

    kind: ClassVar[Kind] = "bills"
    link = "/v1/cases"

    def __init__(self, port: Any, cases: Any) -> None:
        super().__init__(port, cases)
        self.reset()

    def reset(self) -> None:
        self.let = False
        self.failure: Exception | None = None
        self.through_reads = False
        self.fresh_s = 60.0
        self.amount_idr = 10_000
        self.asked = self.under_way = 0

    async def read(self, asker: Asker) -> Told[Bill]:
        self.under_way += 1
        try:
            if not self.through_reads:
                return Told([await self.ask()], utc_now())
            who = str(asker.caller.id)
            wanted = Wanted(what="test.bills", subject=who, actor=who, fresh_s=self.fresh_s, stale_s=600, rest_s=0.0)
            seen = await self.cases.reads.get(wanted, Bill, self.ask)
            return Told([seen.value], seen.as_of, seen.is_stale)
        finally:
            self.under_way -= 1

    async def ask(self) -> Bill:
        self.asked += 1
        while not self.let:  # noqa: ASYNC110 -- set by the test's own thread
            await asyncio.sleep(0.005)
        if self.failure is not None:
            raise self.failure
        return Bill(number="1", title="Pajak reklame", amount_idr=self.amount_idr, due_on=None, link=None)


class Grants(Source):
    """A second one, of another kind."""

    kind: ClassVar[Kind] = "entitlements"


@pytest.fixture(scope="module")
def sources(environment: dict[str, str]) -> dict[str, Source]:
    return {}


@pytest.fixture(scope="module")
def api(environment: dict[str, str], sources: dict[str, Source]) -> Iterator[Api]:
    def place(app: Litestar) -> None:
        sources["one"], sources["other"] = Source(None, app.state["cases"]), Grants(None, app.state["cases"])
        app.state["home"] = (Placed(sources["one"], "tax", "bapenda"), Placed(sources["other"], "tax", "bapenda"))

    with running_api(environment, place) as running:
        yield running


@pytest.fixture
def one(api: Api, sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch) -> Source:
    """As it is before anything is told, and waited for as long as the test likes; the other fails at once."""
    monkeypatch.setattr(gathering, "PART_S", 60.0)
    sources["one"].reset()
    sources["other"].reset()
    sources["other"].failure = ValueError("cannot be read")
    sources["other"].let = True
    return sources["one"]


class Listener:
    """One open stream; `event` is the next event's name and what it tells."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def event(self) -> tuple[str, Any]:
        name = ""
        async for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, json.loads(value)
        raise EOFError

    async def part(self) -> tuple[str, dict[str, Any]]:
        """The next event and its bills."""
        name, told = await self.event()
        return name, bills(told) if name == "home" else told


def bills(home: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(part for part in home["parts"] if part["kind"] == "bills")
    return found


@asynccontextmanager
async def listening(citizen: Citizen) -> AsyncIterator[Listener]:
    async with (
        asyncio.timeout(60),
        citizen.client.stream("GET", PATH, headers={"Accept": "text/event-stream"}) as answer,
    ):
        yield Listener(answer)


async def test_first_the_home_then_what_was_late_then_the_end(people: People, one: Source) -> None:
    citizen = await people.make()
    async with listening(citizen) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        name, told = await stream.part()
        assert (name, told["name"], told["state"], told["items"]) == ("home", "tax.bills", "late", None)
        one.let = True
        name, told = await stream.part()
        assert (name, told["state"], told["items"][0]["amount_idr"]) == ("part", "fresh", 10_000)
        assert await stream.event() == ("end", {})
        with pytest.raises(EOFError):
            await stream.event()


async def test_with_nothing_late_it_ends_at_once(people: People, one: Source) -> None:
    one.let = True
    async with listening(await people.make()) as stream:
        assert (await stream.part())[1]["state"] == "fresh"
        assert await stream.event() == ("end", {})


async def test_what_is_wrong_with_one_part_stands_in_its_place(people: People, one: Source) -> None:
    one.let = True
    citizen = await people.make(language="en")
    answer = await citizen.get(PATH)
    assert answer.status_code == 200
    paid, failed = answer.json()["parts"]
    assert (paid["state"], failed["state"]) == ("fresh", "failed")
    assert failed["reason"]["code"] == "internal_error"
    assert "cannot be read" not in answer.text


async def test_a_late_part_that_fails_is_told_too(people: People, one: Source) -> None:
    one.failure = AgencyUnavailable("tax", "bills", "HTTP 500")
    async with listening(await people.make()) as stream:
        assert (await stream.part())[1]["state"] == "late"
        one.let = True
        name, told = await stream.part()
        assert (name, told["state"], told["reason"]["code"]) == ("part", "failed", "agency_unavailable")
        assert await stream.event() == ("end", {})


async def test_what_was_old_follows_once_it_is_told_anew(people: People, one: Source) -> None:
    one.through_reads, one.fresh_s = True, 0.05
    one.let = True
    citizen = await people.make()
    async with listening(citizen) as stream:
        before = (await stream.part())[1]
    await asyncio.sleep(one.fresh_s)
    one.let = False
    one.amount_idr = 20_000
    async with listening(citizen) as stream:
        _, old = await stream.part()
        assert (old["state"], old["items"]) == ("stale", before["items"])
        assert old["as_of"] == before["as_of"]
        one.let = True
        name, told = await stream.part()
        assert (name, told["state"], told["items"][0]["amount_idr"]) == ("part", "fresh", 20_000)
        assert told["as_of"] > old["as_of"]
        assert await stream.event() == ("end", {})


async def test_what_stays_old_is_not_told_twice(people: People, one: Source) -> None:
    one.through_reads, one.fresh_s = True, 0.05
    one.let = True
    citizen = await people.make()
    async with listening(citizen) as stream:
        await stream.part()
    await asyncio.sleep(one.fresh_s)
    one.failure = AgencyUnavailable("tax", "bills", "HTTP 500")
    async with listening(citizen) as stream:
        assert (await stream.part())[1]["state"] == "stale"
        assert await stream.event() == ("end", {})


async def test_nothing_stays_behind_when_the_client_goes_away(people: People, one: Source) -> None:
    citizen = await people.make()
    for _ in range(MOST_PER_CITIZEN + 1):
        async with listening(citizen) as stream:
            assert (await stream.part())[1]["state"] == "late"
        await until(lambda: one.under_way == 0)
    assert (await citizen.get(PATH)).json()["parts"][0]["state"] == "late"
    await until(lambda: one.under_way == 0)


async def test_what_was_asked_of_an_agency_goes_on_without_its_asker(people: People, one: Source) -> None:
    one.through_reads = True
    citizen = await people.make()
    assert bills((await citizen.get(PATH)).json())["state"] == "late"
    one.let = True
    async with asyncio.timeout(60):
        part = bills((await citizen.get(PATH)).json())
        while part["state"] != "fresh":
            part = bills((await citizen.get(PATH)).json())
    assert (part["items"][0]["amount_idr"], one.asked) == (10_000, 1)


async def test_so_many_streams_a_citizen_and_no_more(people: People, one: Source) -> None:
    citizen = await people.make()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(citizen)) for _ in range(MOST_PER_CITIZEN)]
        for each in streams:
            await each.event()
        answer = await citizen.client.get(PATH, headers={"Accept": "text/event-stream"})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
        assert (await citizen.get(PATH)).status_code == 200
    await until(lambda: one.under_way == 0)


async def test_it_ends_without_its_end_when_the_session_is_ended(people: People, api: Api, one: Source) -> None:
    citizen = await people.make()
    async with listening(citizen) as stream:
        await stream.event()
        async with api.client(citizen.token) as other:
            assert (await other.post("/v1/login/logout")).status_code < 300
        with pytest.raises(EOFError):
            await stream.event()
    await until(lambda: one.under_way == 0)

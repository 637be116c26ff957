"""A case's timeline as server-sent events: as it grows, from where one left off, until it has ended."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.assembly import Product
from app.cases.desk import ask_citizen
from app.cases.streams import MOST_PER_CITIZEN
from app.cases.timeline import CHANNEL
from tests.harness.cases import SERVICE, hand_in, new_key
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.tables import Tables

QUICKLY_S = 2.0


class Listener:
    """One open stream; `event` is the next event, without the comments between."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def event(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        async for line in self._lines:
            if not line and "data" in event:
                return event
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = json.loads(value) if name in ("id", "data") else value
        raise EOFError


@asynccontextmanager
async def listening(citizen: Citizen, case_id: str, last: int | None = None) -> AsyncIterator[Listener]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with citizen.client.stream("GET", f"/v1/cases/{case_id}/events", headers=headers) as answer:
        yield Listener(answer)


async def ask(product: Product, case: dict[str, Any], question: str) -> None:
    """What `loket cases ask` does: a change by another process, and its news."""
    async with product.database.begin() as connection:
        row = await ask_citizen(connection, case["number"], product.vault.seal(question), "petugas.uji")
    await product.valkey.publish(CHANNEL, str(row["id"]).encode())


async def open_draft(citizen: Citizen) -> dict[str, Any]:
    body = {"service": SERVICE, "form": {}, "draft": True}
    shown: dict[str, Any] = (await citizen.post("/v1/cases", body, key=new_key())).json()
    return shown


async def test_events_so_far_and_then_each_as_it_happens(people: People, product: Product) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    async with listening(citizen, case["id"]) as stream, asyncio.timeout(10):
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        first = await stream.event()
        assert (first["id"], first["event"], first["data"]["kind"]) == (1, "timeline", "submitted")
        began = time.monotonic()
        await ask(product, case, "Di mana?")
        second = await stream.event()
        assert time.monotonic() - began < QUICKLY_S  # by Valkey; without it the stream looks every 5 s
        assert (second["id"], second["data"]["text"]) == (2, "Instansi bertanya: Di mana?")
        shown = (await citizen.get(case["links"]["self"])).json()["timeline"]
        assert [first["data"], second["data"]] == shown


async def test_a_change_by_the_citizens_other_device_wakes_it_too(people: People, api: Api) -> None:
    citizen = await people.make(language="en")
    case = await hand_in(citizen)
    async with listening(citizen, case["id"], last=1) as stream, asyncio.timeout(10):
        began = time.monotonic()
        async with api.client(citizen.token) as other:
            await other.post(case["links"]["withdraw"], json={})
        event = await stream.event()
        assert time.monotonic() - began < QUICKLY_S
        assert (event["id"], event["data"]["text"]) == (2, "You withdrew this case.")
        with pytest.raises(EOFError):
            await stream.event()


async def test_it_resumes_where_one_left_off(people: People, product: Product) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await ask(product, case, "Satu?")
    await citizen.post(f"{case['links']['self']}/answers", {"answer": "Ya"})
    async with listening(citizen, case["id"], last=1) as stream, asyncio.timeout(10):
        assert [(await stream.event())["id"] for _ in range(2)] == [2, 3]
    async with listening(citizen, case["id"], last=2) as stream, asyncio.timeout(10):
        assert (await stream.event())["data"]["kind"] == "answered"


async def test_it_ends_when_the_case_has_ended(people: People) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    await citizen.post(case["links"]["withdraw"], {})
    async with listening(citizen, case["id"]) as stream, asyncio.timeout(3):
        assert [(await stream.event())["data"]["kind"] for _ in range(2)] == ["submitted", "withdrawn"]
        with pytest.raises(EOFError):
            await stream.event()


async def test_a_client_that_saw_the_end_is_told_not_to_come_again(people: People) -> None:
    """A browser's EventSource connects again whenever a stream ends, unless it is answered 204."""
    citizen = await people.make()
    case = await hand_in(citizen)
    await citizen.post(case["links"]["withdraw"], {})
    for last in (2, 3):
        async with asyncio.timeout(3):
            answer = await citizen.client.get(case["links"]["events"], headers={"Last-Event-ID": str(last)})
        assert (answer.status_code, answer.content) == (204, b"")


async def test_it_stops_within_seconds_when_the_session_is_ended(people: People, api: Api) -> None:
    citizen = await people.make()
    case = await open_draft(citizen)
    async with listening(citizen, case["id"]) as stream:
        await stream.event()
        async with api.client(citizen.token) as other:
            assert (await other.post("/v1/login/logout")).status_code < 300
        began = time.monotonic()
        async with asyncio.timeout(8):
            with pytest.raises(EOFError):
                await stream.event()
        assert time.monotonic() - began < 7
    assert (await citizen.get(case["links"]["self"])).status_code == 401


async def test_so_many_streams_a_citizen_and_no_more(people: People) -> None:
    citizen, other = await people.make(), await people.make()
    case, others = await open_draft(citizen), await open_draft(other)
    streams = [listening(citizen, case["id"]) for _ in range(MOST_PER_CITIZEN)]
    opened = [await stream.__aenter__() for stream in streams]
    for stream in opened:
        await stream.event()
    refused = await citizen.get(case["links"]["events"])
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert int(refused.headers["retry-after"]) > 0
    async with listening(other, others["id"]) as stream:
        assert stream.answer.status_code == 200
    for stream_context in streams:
        await stream_context.__aexit__(None, None, None)
    await _until_open(citizen, case["id"])


async def test_streams_that_broke_off_at_once_are_not_counted_for_ever(people: People, api: Api) -> None:
    citizen = await people.make()
    case = await open_draft(citizen)
    host, port = api.url.removeprefix("http://").split(":")
    request = f"GET {case['links']['events']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {citizen.token}\r\n\r\n"
    for _ in range(4 * MOST_PER_CITIZEN):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode())
        await writer.drain()
        writer.transport.abort()
    await _until_open(citizen, case["id"])


async def test_two_hundred_at_once_open_no_more_than_the_limit(people: People) -> None:
    citizen = await people.make()
    case = await open_draft(citizen)
    asked = [asyncio.create_task(_held(citizen, case["id"])) for _ in range(40)]
    statuses = await asyncio.gather(*asked)
    assert statuses.count("open") <= MOST_PER_CITIZEN
    assert statuses.count("open") >= 1


async def test_without_news_it_looks_for_itself(people: People, tables: Tables) -> None:
    """Somebody changed the case and Valkey told nobody."""
    citizen = await people.make()
    case = await hand_in(citizen)
    async with listening(citizen, case["id"], last=1) as stream:
        await tables.run(
            "WITH told AS (INSERT INTO case_events (case_id, seq, kind, status) "
            "VALUES ($1, 2, 'withdrawn', 'withdrawn')) "
            "UPDATE cases SET last_event = 2, status = 'withdrawn' WHERE id = $1",
            UUID(case["id"]),
        )
        async with asyncio.timeout(8):
            assert (await stream.event())["id"] == 2


@pytest.mark.parametrize("last", ["-1", "abc", "1.5", "1" * 10, "٣"])
async def test_an_event_id_that_is_none_of_ours(citizen: Citizen, last: str) -> None:
    case = await open_draft(citizen)
    headers = {"Last-Event-ID": last.encode()}
    answer = await citizen.client.get(case["links"]["events"], headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "last_event_id_invalid")


async def _until_open(citizen: Citizen, case_id: str) -> None:
    """Until a stream opens again: those before must end."""
    for _ in range(40):
        async with listening(citizen, case_id) as stream:
            if stream.answer.status_code == 200:
                return
        await asyncio.sleep(0.2)
    raise AssertionError("streams that have ended are still counted")


async def _held(citizen: Citizen, case_id: str) -> str:
    """Whether a stream opens and stays: one over the limit is refused, or ends at once without an event."""
    async with listening(citizen, case_id) as stream:
        if stream.answer.status_code != 200:
            return "refused"
        try:
            await stream.event()
        except EOFError:
            return "ended"
        await asyncio.sleep(1)
        return "open"

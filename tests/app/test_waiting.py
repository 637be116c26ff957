"""Places: held while a request is at work, by nobody who waits for an agency, given up once."""

import asyncio
from typing import Any

import pytest

from app import waiting
from app.shedding import Shedding
from app.waiting import Place, Room, outside, place


async def status(app: Shedding) -> int:
    """What a request is answered."""
    told: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Any = {"type": "http", "method": "GET", "path": "/v1/me", "headers": []}
    await app(scope, receive, send)
    return told[0]


class Slow:
    """An application of one place, whose first request waits for an agency or for itself."""

    def __init__(self, *, for_an_agency: bool) -> None:
        self._for_an_agency = for_an_agency
        self._came = False
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if not self._came:
            self._came = True
            self.waits.set()
            if self._for_an_agency:
                with outside():
                    await self.goes_on.wait()
            else:
                await self.goes_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("for_an_agency", "then"), [(True, 200), (False, 503)])
async def test_who_waits_for_an_agency_takes_nobodys_place(for_an_agency: bool, then: int) -> None:
    slow = Slow(for_an_agency=for_an_agency)
    app = Shedding(slow, most_waiting=1)
    first = asyncio.create_task(status(app))
    await slow.waits.wait()
    assert await status(app) == then
    slow.goes_on.set()
    assert await first == 200
    assert await status(app) == 200


def test_the_place_is_taken_again_when_every_part_is_back() -> None:
    room = Room()
    ours = Place(room)
    with ours.outside():
        with ours.outside():
            assert (room.held, room.outside) == (0, 2)
        assert (room.held, room.outside) == (0, 1)
    assert (room.held, room.outside) == (1, 0)


def test_what_goes_on_after_the_answer_takes_no_place() -> None:
    room = Room()
    ours = Place(room)
    with ours.outside():
        ours.leave()
    assert (room.held, room.outside) == (0, 0)
    with ours.outside():
        assert room.outside == 0
    ours.leave()
    assert room.held == 0


def test_outside_is_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_OUTSIDE", 1)
    room = Room()
    one, other = Place(room), Place(room)
    with one.outside(), other.outside():
        assert (room.held, room.outside) == (1, 1)
    assert (room.held, room.outside) == (2, 0)


async def test_who_has_no_place_waits_without() -> None:
    assert place.get() is None
    with outside():
        assert place.get() is None

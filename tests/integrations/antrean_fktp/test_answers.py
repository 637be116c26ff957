"""Answers that are accepted and hold nothing: no ticket is believed in, and no queue made up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from app.errors import AgencyUnavailable, OutcomeUnknown
from integrations.antrean_fktp.health import AntreanFktpHealth, hours
from tests.harness.listener import answering, listening
from tests.integrations.antrean_fktp.conftest import BALOWERTI, Town, asked, session

TOKEN = {"metadata": {"code": 200}, "response": {"token": "t1"}}
EMPTY = [None, {}, [], "", "Ok", [None], {"namapoli": ""}]


@asynccontextmanager
async def saying(town: Town, response: object) -> AsyncIterator[AntreanFktpHealth]:
    """The adapter before a system that gives a token and then answers everything with 200 and `response`."""
    said = [TOKEN, {"metadata": {"code": 200, "message": "Ok"}, "response": response}]

    async def behave(reader: Any, writer: Any) -> None:
        await answering(body=msgspec.json.encode(said.pop(0) if len(said) > 1 else said[0]))(reader, writer)

    async with listening(behave) as server:
        backend = town.clients[BALOWERTI].backend
        yield town.connected(msgspec.structs.replace(backend, url=f"http://127.0.0.1:{server.port}"))


@pytest.mark.parametrize("response", [*EMPTY, {"nomorantrean": ""}, {"nomorantrean": None}], ids=repr)
async def test_accepted_without_a_ticket_is_unknown(town: Town, response: object) -> None:
    async with saying(town, response) as port:
        with pytest.raises(OutcomeUnknown):
            await port.take(asked())


@pytest.mark.parametrize("response", [None, {}, "", "Ok", [None]], ids=repr)
async def test_no_queue_and_no_place_are_made_up(town: Town, response: object) -> None:
    async with saying(town, response) as port:
        for asking in (port.queues(session()), port.place(asked(), "x")):
            with pytest.raises(AgencyUnavailable) as unreadable:
                await asking
            assert unreadable.value.code == "unreadable"


async def test_what_cannot_be_read_is_none_with_its_reason(town: Town) -> None:
    row: dict[str, object] = {
        "namapoli": "POLI UMUM",
        "totalantrean": "banyak",
        "sisaantrean": None,
        "antreanpanggil": {},
    }
    async with saying(town, [row]) as port:
        [queue] = await port.queues(session())
    assert (queue.tickets, queue.waiting, queue.now_serving) == (None, None, None)
    reasons = {name: queue.missing[name] for name in ("tickets", "waiting", "now_serving")}
    assert reasons == {"tickets": "unreadable", "waiting": "not_told", "now_serving": "unreadable"}


@pytest.mark.parametrize(
    "written",
    [
        "08:00-12:00",
        "8.00 - 12.00",
        "08:00:00-12:00:00",
        "08:00 s/d 12:00 WIB",
        "08:00 \u2013 12:00",
        "Pukul 08.00 S/D 12.00",
        "08:00 s.d. 12:00",
        "8:00 sampai 12:00",
    ],
)
def test_hours_however_written(written: str) -> None:
    assert hours(written) == "08:00-12:00"


def test_what_is_no_hours_stays() -> None:
    assert hours("pagi") == "pagi"

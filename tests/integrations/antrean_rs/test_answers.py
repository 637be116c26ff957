"""Answers that are accepted and hold nothing: no ticket is believed in, and no queue made up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from app.errors import AgencyUnavailable, OutcomeUnknown
from integrations.antrean_rs.health import AntreanRsHealth
from tests.harness.listener import answering, listening
from tests.integrations.antrean_rs.conftest import Hospital, asked, session

TOKEN = {"metadata": {"code": 200}, "response": {"token": "t1"}}
EMPTY = [None, {}, [], "", "Ok", [None], {"namapoli": ""}]


@asynccontextmanager
async def saying(hospital: Hospital, response: object) -> AsyncIterator[AntreanRsHealth]:
    """The adapter before a system that gives a token and then answers everything with 200 and `response`."""
    said = [TOKEN, {"metadata": {"code": 200, "message": "Ok"}, "response": response}]

    async def behave(reader: Any, writer: Any) -> None:
        await answering(body=msgspec.json.encode(said.pop(0) if len(said) > 1 else said[0]))(reader, writer)

    async with listening(behave) as server:
        backend = hospital.client.backend
        yield hospital.connected(msgspec.structs.replace(backend, url=f"http://127.0.0.1:{server.port}"))


@pytest.mark.parametrize("response", [*EMPTY, {"kodebooking": ""}, {"kodebooking": None}], ids=repr)
async def test_accepted_without_a_ticket_is_unknown(hospital: Hospital, response: object) -> None:
    async with saying(hospital, response) as port:
        with pytest.raises(OutcomeUnknown):
            await port.take(asked())


@pytest.mark.parametrize("response", [None, {}, "", "Ok", [None]], ids=repr)
async def test_no_queue_and_no_place_are_made_up(hospital: Hospital, response: object) -> None:
    async with saying(hospital, response) as port:
        for asking in (port.queues(session()), port.place(asked(), "x")):
            with pytest.raises(AgencyUnavailable) as unreadable:
                await asking
            assert unreadable.value.code == "unreadable"


async def test_what_cannot_be_read_is_none_with_its_reason(hospital: Hospital) -> None:
    row: dict[str, object] = {
        "namapoli": "POLI UMUM",
        "totalantrean": "banyak",
        "sisaantrean": None,
        "antreanpanggil": {},
    }
    async with saying(hospital, [row]) as port:
        [queue] = await port.queues(session())
    assert (queue.tickets, queue.waiting, queue.now_serving) == (None, None, None)
    reasons = {name: queue.missing[name] for name in ("tickets", "waiting", "now_serving")}
    assert reasons == {"tickets": "unreadable", "waiting": "not_told", "now_serving": "unreadable"}


async def test_what_is_left_is_never_less_than_none(hospital: Hospital) -> None:
    """More was given than there was, and the system counts on: nothing is left, and nobody waits."""
    row = {"namapoli": "POLI UMUM", "totalantrean": "32", "sisaantrean": "-2", "sisakuotajkn": -2, "kuotajkn": 30}
    async with saying(hospital, [{**row, "sisakuotanonjkn": "-1"}]) as port:
        [queue] = await port.queues(session())
    assert (queue.tickets, queue.waiting, queue.quota) == (32, 0, 30)
    assert (queue.quota_left, queue.quota_others_left) == (0, 0)
    async with saying(hospital, {"nomorantrean": "A1", "sisaantrean": "0", "waktutunggu": -360}) as port:
        place = await port.place(asked(), "KB-1")
    assert (place.before, place.wait_s) == (0, 0)

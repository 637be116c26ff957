"""F06: a system, or what stands before it, answers one question twice: the second answer, which is about somebody else
by then, is nobody's."""

import asyncio
from itertools import count

import pytest

from app.agency_client import Call
from tests.harness.calling import READ, WRITE, calling
from tests.harness.listener import Behaviour

PATIENCE_S = 30


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def twice(told: asyncio.Event, *, at_once: bool) -> Behaviour:
    """Each request is answered by its number, and the first once more: at once, or when its caller has gone on."""
    numbers = count(1)

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        writer.write(answer(b"%d" % number) * (2 if at_once else 1))
        await writer.drain()
        if number == 1 and not at_once:
            asyncio.get_running_loop().call_later(0.05, _say_again, writer)

    def _say_again(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"1"))
        told.set()

    if at_once:
        told.set()
    return behave


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("call", [READ, WRITE])
async def test_the_second_is_not_taken_for_the_answer_to_what_was_asked_next(call: Call, *, at_once: bool) -> None:
    told = asyncio.Event()
    async with calling(twice(told, at_once=at_once)) as (caller, server):
        assert (await caller.client.call(call)).body == b"1"
        async with asyncio.timeout(PATIENCE_S):
            await told.wait()
            # Nothing tells that it has arrived: some turns of the loop read what lies in the socket.
            for _ in range(50):
                await asyncio.sleep(0.002)
        assert (await caller.client.call(call)).body == b"2"
        assert len(server.requests) == 2

"""The agency's system is not running at all, and comes back: nothing is lost, and it is not hammered meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.people import People
from tests.harness.product import Running, running_sandboxes

CITIZENS = 6
DOWN_S = 6.0


class Refusing:
    """The agency's port, open, where every connection is closed at once; each is counted."""

    def __init__(self) -> None:
        self.calls = 0

    async def _close(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        writer.close()

    @contextlib.asynccontextmanager
    async def on(self, port: int) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._close, "127.0.0.1", port)
        yield
        server.close()
        await server.wait_closed()


@pytest.mark.timeout(90)
async def test_down_and_back(
    people: People, environment: dict[str, str], start_process: Callable[..., Running]
) -> None:
    port = int(environment["LOKET_SANDBOX_PORT"])
    worker = start_process("work")
    worker.wait_for("worker ready")
    citizens = [await people.make() for _ in range(CITIZENS)]
    refusing = Refusing()
    async with refusing.on(port):
        opened = []
        for citizen in citizens:
            began = time.monotonic()
            opened.append(await hand_in(citizen))
            assert time.monotonic() - began < 1.5  # an upload and a handing in
        await asyncio.sleep(DOWN_S)
        shown = [
            (await citizen.get(case["links"]["self"])).json() for citizen, case in zip(citizens, opened, strict=True)
        ]
    # Somebody's may be the one that just tries whether the agency is back.
    states = [case["delivery"]["state"] for case in shown]
    assert set(states) <= {"queued", "delivering"}
    assert states.count("delivering") <= 1
    assert {len(case["timeline"]) for case in shown} == {1}
    # One probe at a time, ever more slowly; the first few deliveries went in together.
    assert 1 <= refusing.calls <= 30
    with running_sandboxes(port, Path(environment["LOKET_DATA_DIR"])) as sandboxes:
        began = time.monotonic()
        for citizen, case in zip(citizens, opened, strict=True):
            await until(citizen, case["id"], is_delivered, timeout_s=10)
        assert time.monotonic() - began < 10
        async with sandboxes.bench("sicantik") as bench:
            numbers = [effect.reference for effect in await bench.ledger() if effect.operation == "register"]
        assert sorted(numbers) == sorted(case["number"] for case in opened)
        worker.stop()

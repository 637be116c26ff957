"""F11 with the time of day of whole processes stepped by an hour (libfaketime), for `make test-external`: who is logged
in stays so, and nothing is handed over twice or never.

Not collected by `make test`: the library comes from Debian's package.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.harness.cases import SERVICE, advertising, is_delivered, new_key, send_pdf, until
from tests.harness.debian import installed
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, Sandboxes, free_port

STEPS_S = (3600, -3600, 600, -600, 0)
EACH = 3
# Under way for so long, so that each step meets some.
TAKES_MS = 700
MOST_APART_S = 30


class Clock:
    """The time of day of processes started with `environment`: ours, and so many seconds more."""

    def __init__(self, folder: Path) -> None:
        assert installed("faketime", "faketime"), "`apt install faketime`"
        self._file = folder / "clock"
        [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        # What runs by itself goes on: a step of the clock is none of the monotonic one.
        alone = dict.fromkeys(("DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_NO_CACHE"), "1")
        self.environment = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self._file), **alone}
        self.step(0)

    def step(self, seconds: int) -> None:
        self._file.write_text(f"{seconds:+d}\n", "ascii")


@pytest.mark.timeout(300)
async def test_nothing_ends_early_and_nothing_happens_twice(
    api: Api, people: People, sandboxes: Sandboxes, start_process: Callable[..., Running], tmp_path: Path
) -> None:
    clock, port = Clock(tmp_path), free_port()
    server = start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url, **clock.environment)
    server.wait_for("Uvicorn running")
    start_process("work", **clock.environment).wait_for("worker ready")
    citizens = [await people.make() for _ in range(EACH * len(STEPS_S))]
    async with sandboxes.bench("sicantik") as bench:
        await bench.fault("ok", ["register"], latency_ms=TAKES_MS)
        base = f"http://127.0.0.1:{port}"
        for citizen in citizens:
            assert await asks(citizen, base) == 200
        handed_in = []
        for place, step_s in enumerate(STEPS_S):
            these = citizens[place * EACH : (place + 1) * EACH]
            handed_in += await asyncio.gather(*(hand_in(citizen, base) for citizen in these))
            clock.step(step_s)
            await has_stepped(base, step_s)
            # Each token was read before: a step ends none of them.
            assert {await asks(citizen, base) for citizen in citizens} == {200}
        for citizen, case in zip(citizens, handed_in, strict=True):
            shown = await until(citizen, case["id"], is_delivered, timeout_s=120)
            seqs = [event["seq"] for event in shown["timeline"]]
            assert seqs == list(range(1, len(seqs) + 1))
        registered = Counter(each.reference for each in await bench.ledger() if each.operation == "register")
    assert registered == Counter(case["number"] for case in handed_in)


async def asks(citizen: Citizen, base: str) -> int:
    return (await citizen.client.get(f"{base}/v1/me")).status_code


async def hand_in(citizen: Citizen, base: str) -> dict[str, str]:
    body = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}
    headers = {"Idempotency-Key": new_key()}
    answer = await citizen.client.post(f"{base}/v1/cases", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    shown: dict[str, str] = answer.json()
    return shown


async def has_stepped(base: str, step_s: int) -> None:
    """Until the server dates its answers so: without that nothing would be shown."""
    async with httpx.AsyncClient(base_url=base) as client, asyncio.timeout(30):
        while True:
            told = parsedate_to_datetime((await client.get("/healthz")).headers["Date"])
            if abs((told - datetime.now(UTC)).total_seconds() - step_s) < MOST_APART_S:
                return
            await asyncio.sleep(0.1)

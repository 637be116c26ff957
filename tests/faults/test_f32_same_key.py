"""F32: a phone that sends the same request ten times at once: one case, one answer; another body is refused.

LOKET_F32_KEYS=1000 is the whole of it, as in `make figures`: ten thousand requests.
"""

import asyncio
import os
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.figures import Tell
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

KEYS = int(os.environ.get("LOKET_F32_KEYS", "25"))
TIMES = 10
CITIZENS = 5
AT_ONCE = 4
pytestmark = pytest.mark.timeout(120 + 2 * KEYS)


async def answered(citizen: Citizen, body: dict[str, Any], key: str) -> httpx.Response:
    """What the key's request comes to: as a phone does, the same again while another of it runs."""
    for _ in range(400):
        answer = await citizen.post("/v1/cases", body, key=key)
        if answer.status_code not in (409, 503):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{key} never got its answer")


async def ten_times(citizen: Citizen, number: int) -> str:
    """One key's case; its number."""
    form = advertising("", purpose=f"Papan nama toko nomor {number}")
    del form["documents"]
    body = {"service": SERVICE, "form": form, "draft": True}
    key = new_key()
    answers = await asyncio.gather(*(answered(citizen, body, key) for _ in range(TIMES)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Counter("idempotency-replayed" in answer.headers for answer in answers)[False] == 1
    other = await citizen.post("/v1/cases", {**body, "form": {**form, "units": 2}}, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    return str(answers[0].json()["number"])


async def test_one_effect_and_one_answer(people: People, tables: Tables, tell: Tell) -> None:
    citizens = [await people.make() for _ in range(CITIZENS)]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with room:
            return await ten_times(citizens[number % CITIZENS], number)

    numbers = await asyncio.gather(*(one(number) for number in range(KEYS)))
    assert len(set(numbers)) == KEYS
    assert await tables.value("SELECT count(*) FROM cases") == KEYS
    assert await tables.value("SELECT count(*) FROM case_events") == KEYS
    tell(f"F32: {KEYS * TIMES:,} requests under {KEYS:,} keys: {KEYS:,} effects")


async def test_handed_in_ten_times_it_goes_out_once(people: People, tables: Tables) -> None:
    citizen = await people.make()
    body, key = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}, new_key()
    answers = await asyncio.gather(*(answered(citizen, body, key) for _ in range(TIMES)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    counted = "SELECT count(*) FROM {} JOIN cases ON cases.id = {}.case_id WHERE citizen_id = $1"
    assert await tables.value(counted.format("deliveries", "deliveries"), citizen.id) == 1
    assert await tables.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'deliver.sicantik'") == 1

"""F02: however many wait for an agency that hangs, the process has room for everybody else."""

import asyncio

import httpx

from app.shedding import MOST_WAITING
from tests.harness.product import Api, Sandboxes

CROWD = MOST_WAITING + 40
ASKED = 20


async def test_those_who_wait_for_an_agency_take_nobodys_place(api: Api, sandboxes: Sandboxes) -> None:
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=60, limits=httpx.Limits(max_connections=CROWD)) as crowd,
        api.client() as others,
        sandboxes.bench("sicantik") as bench,
    ):
        await bench.fault("hang")
        waiting = [
            asyncio.create_task(crowd.get("/v1/permits/check", params={"number": f"503/{each}/2026"}))
            for each in range(CROWD)
        ]
        answers = [await others.get("/v1/services", params={"limit": "1"}) for _ in range(ASKED)]
        still = sum(not each.done() for each in waiting)
        refused = await asyncio.gather(*waiting)
        await bench.heal()
    assert [answer.status_code for answer in answers] == [200] * ASKED
    # They were there all the while; and each was told of the agency, not that we have too much to do.
    assert still > MOST_WAITING
    assert {answer.json()["code"] for answer in refused} == {"agency_unavailable"}

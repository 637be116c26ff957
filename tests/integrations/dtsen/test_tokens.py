"""Tokens that end while calls are under way: renewed once for all of them, and no matter is handed in twice."""

import asyncio
from collections import Counter

import msgspec
from aiohttp import web

from app.cases.port import Receipt
from app.errors import AgencyError
from tests.integrations.dtsen.conftest import SITI, Adapted, Agency, objection, told

MANY = 24
EXPIRED = '{"fault": {"code": 900903, "message": "Access Token Expired", "description": "x"}}'


async def test_all_that_were_under_way_use_one_new_token(adapted: Adapted) -> None:
    """Every call has arrived at the bus with the old token before it ends."""
    bus, arrived, ended = adapted.bus, asyncio.Semaphore(0), asyncio.Event()
    registered: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer t1":
            arrived.release()
            await ended.wait()
            return web.Response(status=401, text=EXPIRED)
        reference = msgspec.json.decode(await request.read())["referensi"]
        registered[reference] += 1
        return web.Response(status=201, text=told({"nomor": f"SGH-2026-{len(registered):06d}"}))

    bus.answer = answer
    requests = [objection() for _ in range(MANY)]
    under_way = [asyncio.create_task(adapted.port.submit(request)) for request in requests]
    # As many as may speak at once.
    for _ in range(8):
        await asyncio.wait_for(arrived.acquire(), 10)
    ended.set()
    receipts = await asyncio.gather(*under_way)
    assert bus.logins == 2
    assert registered == Counter(request.reference for request in requests)
    assert len({receipt.reference for receipt in receipts}) == MANY
    assert sum(asked.target != "/oauth2/token" for asked in bus.asked) <= 2 * MANY


async def test_tokens_that_end_every_few_calls(agency: Agency) -> None:
    """Each is good for five calls, and twenty-four come at once, over and over."""
    await agency.bench.quirks(token="five_uses")
    requests = [objection() for _ in range(MANY)]
    waiting = list(requests)
    receipts: dict[str, Receipt] = {}
    for _ in range(MANY):
        ended = await asyncio.gather(*(agency.port.submit(each) for each in waiting), return_exceptions=True)
        for request, outcome in zip(waiting, ended, strict=True):
            if isinstance(outcome, Receipt):
                receipts[request.reference] = outcome
            else:
                assert isinstance(outcome, AgencyError)
        waiting = [request for request in waiting if request.reference not in receipts]
        if not waiting:
            break
    assert not waiting
    assert Counter(await agency.handed_in()) == Counter(request.reference for request in requests)


async def test_a_token_is_kept_while_it_is_good(adapted: Adapted) -> None:
    adapted.bus.says(200, told(None))
    await asyncio.gather(*(adapted.port.household_aid(SITI) for _ in range(MANY)))
    assert adapted.bus.logins == 1
    assert {asked.headers["Authorization"] for asked in adapted.bus.asked[1:]} == {"Bearer t1"}

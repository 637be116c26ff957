"""F10: of a thousand callbacks that are forged or played back, none is accepted, none has an effect, each is logged."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product
from app.callbacks.port import MAX_BODY_BYTES, signature
from app.cases.claims import Outcome
from tests.harness.callbacks import NAMES, SECRET, WINDOW, Caller, with_signed_callbacks
from tests.harness.cases import hand_in
from tests.harness.deliveries import delivery_of, ended_as
from tests.harness.people import People
from tests.harness.product import Api, running_api
from tests.harness.tables import Tables

NUMBER = "0007101201112026"
AT_ONCE = 20
TRIES = 1000
STANDS = "SELECT next_refresh_at, status, last_event, revision FROM cases WHERE id = $1"


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    """The API with one integration more that is called by its backend."""
    with running_api(environment, with_signed_callbacks) as running:
        yield running


@pytest.fixture(scope="module")
async def caller(api: Api) -> AsyncIterator[Caller]:
    async with api.client() as client:
        yield Caller(client)


def forged(chance: random.Random, recorded: tuple[bytes, dict[str, str]]) -> tuple[bytes, dict[str, str], str]:
    """One of the ways: body, headers and the system it claims to come from."""
    body = msgspec.json.encode({"number": NUMBER, "state": f"granted {chance.random()}"})
    now = str(int(time.time()))
    right = signature(SECRET, now, body)
    late = str(int(time.time() - WINDOW.total_seconds() - chance.randint(5, 10**6)))
    early = str(int(time.time() + WINDOW.total_seconds() + chance.randint(5, 10**6)))
    time_name, signature_name = NAMES
    headers: dict[str, str] = chance.choice(
        [
            {},
            {time_name: now},
            {signature_name: right},
            {time_name: now, signature_name: ""},
            {time_name: now, signature_name: chance.randbytes(32).hex()},
            {time_name: now, signature_name: right[:-1] + ("0" if right[-1] != "0" else "1")},
            {time_name: now, signature_name: right.upper()},
            {time_name: now, signature_name: signature("guessed", now, body)},
            {time_name: now, signature_name: signature(SECRET, now, body + b" ")},
            {time_name: str(int(now) + 1), signature_name: right},
            {time_name: f"{now}.0", signature_name: signature(SECRET, f"{now}.0", body)},
            {time_name: "", signature_name: signature(SECRET, "", body)},
            {time_name: "9" * 40, signature_name: signature(SECRET, "9" * 40, body)},
            # Played back when their time is over, and made for a time to come.
            {time_name: late, signature_name: signature(SECRET, late, body)},
            {time_name: early, signature_name: signature(SECRET, early, body)},
            # Another's body under a signature that was right.
            recorded[1],
        ]
    )
    # The gateway of messages signs nothing: its address has a key, which a forger does not know.
    return body, headers, "fonnte" if chance.random() < 0.1 else "sicantik"


async def test_none_of_a_thousand_is_accepted(
    product: Product, people: People, tables: Tables, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    case = await hand_in(await people.make())
    await ended_as(product, await delivery_of(tables, case), Outcome(state="delivered", reference=NUMBER))
    case_id = UUID(case["id"])
    now = str(int(time.time()))
    body = msgspec.json.encode({"number": NUMBER, "state": "checked"})
    recorded = (body, dict(zip(NAMES, (now, signature(SECRET, now, body)), strict=True)))
    assert await caller.send(*recorded) == 200
    await tables.run("UPDATE cases SET next_refresh_at = now() + interval '1 day' WHERE id = $1", case_id)
    stands, receipts = await tables.rows(STANDS, case_id), await receipts_of(tables)
    room, chance = asyncio.Semaphore(AT_ONCE), random.Random(10)

    async def attempt(forgery: tuple[bytes, dict[str, str], str]) -> int:
        async with room:
            return await caller.send(*forgery)

    answers = await asyncio.gather(*(attempt(forged(chance, recorded)) for _ in range(TRIES)))
    assert set(answers) == {401}
    refused = [each.getMessage() for each in caplog.records if each.name == "loket.callbacks"]
    assert len(refused) == TRIES
    assert all(re.fullmatch(r"callback of (sicantik|fonnte) refused: [a-z ,]+", words) for words in refused)
    assert await receipts_of(tables) == receipts
    # The very same call within its time is told that it has arrived, as an honest repetition is, and does nothing.
    assert {await caller.send(*recorded) for _ in range(10)} == {200}
    assert await tables.rows(STANDS, case_id) == stands
    assert [row["times"] for row in await receipts_of(tables)] == [11]


async def test_a_body_that_is_too_long_is_not_read(caller: Caller, tables: Tables) -> None:
    before = await receipts_of(tables)
    assert await caller.send(b"x" * (MAX_BODY_BYTES + 1), {}) == 413
    assert await caller.send(b"{}", {}, backend="nobody") == 404
    assert await receipts_of(tables) == before


async def receipts_of(tables: Tables) -> list[dict[str, object]]:
    return await tables.rows("SELECT reference, outcome, times FROM callback_receipts ORDER BY digest")

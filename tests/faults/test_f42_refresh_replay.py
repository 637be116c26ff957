"""F42: a stolen refresh token that is replayed ends its family; a client whose answer was lost is never logged out."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

import aiohttp
import msgspec
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.assembly import Product, build
from app.login.models import RefreshToken, Session
from app.login.sessions import RETRY_WINDOW_S, Opened, continue_session, open_session
from app.privacy import Vault
from tests.harness.people import Citizen, People
from tests.harness.product import Api

THEFTS = 1_000
RETRIES = 500  # after a lost answer, and as many that overtake
SAMPLE = 100
AT_ONCE = 16
# Thousands of requests: half a minute of one core, and several minutes where many others want it.
pytestmark = pytest.mark.timeout(600)

T = TypeVar("T")
R = TypeVar("R")


class Family(msgspec.Struct, frozen=True):
    """One device: the token that was stolen, and the one its owner holds by now."""

    stolen: str
    held: Opened


class Answer(msgspec.Struct, frozen=True):
    """`said`: the successor, or why there is none."""

    status: int
    said: str


ENDED = Answer(401, "session_revoked")


class Client:
    """Many devices' way to the refresh route."""

    def __init__(self, api: Api, http: aiohttp.ClientSession) -> None:
        self._url = f"{api.url}/v1/login/refresh"
        self._http = http
        self._address = (api.settings.host, api.settings.port)

    async def refresh(self, token: str) -> Answer:
        async with self._http.post(self._url, json={"refresh_token": token}) as response:
            told = await response.json(content_type=None)
            return Answer(response.status, told["refresh_token"] if response.status == 200 else told["code"])

    async def lose_the_answer(self, token: str) -> None:
        """The connection is cut at the answer's first byte."""
        body = msgspec.json.encode({"refresh_token": token})
        head = "POST /v1/login/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        reader, writer = await asyncio.open_connection(*self._address)
        writer.write(b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body))
        assert await reader.readexactly(1) == b"H"
        writer.transport.abort()


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    made = build(api.settings, "test")
    yield made
    await made.gate.close()
    await made.close()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(api, http)


@pytest.fixture(scope="module")
async def owner(people: People) -> Citizen:
    return await people.make()


async def test_no_replayed_token_works_and_each_ends_its_family(
    product: Product, client: Client, owner: Citizen
) -> None:
    """Its owner went on with the successor, had the one honest retry, or a minute has passed."""
    families = await _families(product, owner, THEFTS)
    replayed = await _all(client.refresh, [family.stolen for family in families])
    assert Counter(replayed) == {ENDED: THEFTS}
    assert await _living(product, families) == 0
    held = await _all(client.refresh, [family.held.refresh_token for family in families[:SAMPLE]])
    assert Counter(held) == {ENDED: SAMPLE}


async def test_thieves_who_come_at_once_get_nothing(product: Product, client: Client, owner: Citizen) -> None:
    families = await _families(product, owner, 50)
    replayed = await _all(client.refresh, [family.stolen for family in families for _ in range(4)])
    assert set(replayed) == {ENDED}
    assert await _living(product, families) == 0


async def test_no_lost_answer_logs_anybody_out(product: Product, client: Client, owner: Citizen) -> None:
    async def honest(token: str) -> Answer:
        await client.lose_the_answer(token)
        return await client.refresh(token)

    await _all_went_on(client, await _all(honest, await _fresh(product, owner, RETRIES)))


async def test_no_retry_that_overtakes_logs_anybody_out(product: Product, client: Client, owner: Citizen) -> None:
    """An impatient client asks again while its first request is on the way: both get the same successor."""

    async def twice(token: str) -> Answer:
        first, second = await asyncio.gather(client.refresh(token), client.refresh(token))
        assert first == second
        return first

    await _all_went_on(client, await _all(twice, await _fresh(product, owner, RETRIES)))


async def _all_went_on(client: Client, retried: Sequence[Answer]) -> None:
    assert Counter(answer.status for answer in retried) == {200: RETRIES}
    used = await _all(client.refresh, [answer.said for answer in retried[:SAMPLE]])
    assert Counter(answer.status for answer in used) == {200: SAMPLE}


async def _fresh(product: Product, owner: Citizen, count: int) -> list[str]:
    """Refresh tokens nobody used yet, each of a device of its own."""
    async with product.database.transaction() as session:
        return [(await open_session(session, owner.id, 2, "")).refresh_token for _ in range(count)]


async def _families(product: Product, owner: Citizen, count: int) -> list[Family]:
    """A third each: the owner went on, retried, or only time went by."""
    turns = itertools.cycle((_went_on, _retried, _waited))
    tokens = await _fresh(product, owner, count)
    async with product.database.transaction() as session:
        return [await next(turns)(session, product.vault, token) for token in tokens]


async def _went_on(session: AsyncSession, vault: Vault, token: str) -> Family:
    successor = await _rotated(session, vault, token)
    return Family(token, await _rotated(session, vault, successor.refresh_token))


async def _retried(session: AsyncSession, vault: Vault, token: str) -> Family:
    successor = await _rotated(session, vault, token)
    assert (await _rotated(session, vault, token)).refresh_token == successor.refresh_token
    return Family(token, successor)


async def _waited(session: AsyncSession, vault: Vault, token: str) -> Family:
    successor = await _rotated(session, vault, token)
    await session.flush()
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.session_id == successor.session_id, RefreshToken.used_at.is_not(None))
        .values(used_at=RefreshToken.used_at - timedelta(seconds=RETRY_WINDOW_S + 1))
        .execution_options(synchronize_session=False)
    )
    return Family(token, successor)


async def _rotated(session: AsyncSession, vault: Vault, token: str) -> Opened:
    outcome = await continue_session(session, vault, token)
    assert isinstance(outcome, Opened)
    return outcome


async def _living(product: Product, families: Sequence[Family]) -> int:
    theirs = Session.id.in_([family.held.session_id for family in families])
    async with product.database.transaction() as session:
        living = select(func.count()).select_from(Session).where(theirs, Session.revoked_at.is_(None))
        return int(await session.scalar(living) or 0)


async def _all(work: Callable[[T], Awaitable[R]], given: Iterable[T]) -> list[R]:
    """`work` for each, AT_ONCE at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(each: T) -> R:
        async with places:
            return await work(each)

    return await asyncio.gather(*(one(each) for each in given))

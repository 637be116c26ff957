"""Signing keys change without anybody being logged out, unless one was stolen; and then only tokens are renewed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import jwt
import pytest
from sqlalchemy import update

from app.assembly import Product, build
from app.database import utc_now
from app.login.gate import Gate
from app.login.jobs import purge
from app.login.keys import PUBLISHED_S, RETIRED_KEPT_S, NotYet, rotate_keys
from app.login.models import SigningKey
from tests.harness.people import Citizen, People
from tests.harness.product import Api


@pytest.fixture
async def product(api: Api) -> AsyncIterator[Product]:
    product = build(api.settings, "test")
    await product.gate.keys.open()
    yield product
    await product.close()


async def published(api: Api) -> list[str]:
    async with api.client() as http:
        return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]


async def age_next_key(product: Product) -> None:
    """As if it had been published long enough."""
    async with product.database.transaction() as session:
        made_at = utc_now() - timedelta(seconds=PUBLISHED_S + 1)
        await session.execute(update(SigningKey).where(SigningKey.state == "next").values(created_at=made_at))


async def rotate(product: Product, *, compromised: bool = False) -> str:
    async with product.database.transaction() as session:
        return await rotate_keys(session, product.vault, compromised=compromised)


async def issued(gate: Gate, citizen: Citizen) -> str:
    claims = await gate.tokens.verify(citizen.token)
    return gate.tokens.issue(claims.citizen_id, claims.session_id, claims.assurance_level)


async def test_the_next_key_does_not_sign_before_clients_have_it(product: Product) -> None:
    before = product.gate.keys.signer.kid
    with pytest.raises(NotYet):
        await rotate(product)
    await product.gate.keys.refresh()
    assert product.gate.keys.signer.kid == before


async def test_nobody_is_logged_out(api: Api, product: Product, citizen: Citizen) -> None:
    old, announced = citizen.token, (await published(api))[-1]
    await age_next_key(product)
    assert await rotate(product) == announced, "what was published as the next"
    await product.gate.keys.refresh()
    new = await issued(product.gate, citizen)
    assert jwt.get_unverified_header(new)["kid"] == announced
    for token in (old, new):
        async with api.client(token=token) as http, asyncio.timeout(30):
            # A process looks for a key it does not know every other second at most.
            while (await http.get("/v1/me")).status_code != 200:  # noqa: ASYNC110 -- what is waited for happens in the API
                await asyncio.sleep(0.2)
    assert len(product.gate.keys.published) == 3, "the retired, the active, and a new next one"


async def test_a_stolen_key_is_believed_by_nobody(product: Product, people: People) -> None:
    citizen = await people.make()
    stolen = product.gate.keys.signer.kid
    await product.gate.tokens.verify(await issued(product.gate, citizen))
    await rotate(product, compromised=True)
    await product.gate.keys.refresh()
    assert product.gate.keys.known(stolen) is None
    assert product.gate.keys.signer.kid != stolen
    assert await issued(people._product.gate, citizen)


async def test_retired_keys_go_in_the_end(product: Product) -> None:
    await age_next_key(product)
    await rotate(product)
    async with product.database.transaction() as session:
        long_ago = utc_now() - timedelta(seconds=RETIRED_KEPT_S + 60)
        await session.execute(update(SigningKey).where(SigningKey.state == "retired").values(retired_at=long_ago))
    await purge(product.database)
    await product.gate.keys.refresh()
    assert len(product.gate.keys.published) == 2

"""A citizen with a passkey, and the ways to use it over the real API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from app.login.identity import Person
from tests.app.login.journey import Journey, somebody
from tests.harness.authenticator import HONEST, Authenticator, Bent


class Holder(msgspec.Struct, frozen=True):
    """Somebody who is logged in and has one passkey. `client` sends their token."""

    journey: Journey
    person: Person
    tokens: dict[str, Any]
    device: Authenticator
    client: httpx.AsyncClient

    async def ask(self) -> dict[str, Any]:
        """A login challenge after the right password."""
        asked = await self.journey.ask_code(self.client, self.person.nik)
        assert asked.status_code == 200, asked.text
        return dict(asked.json())

    async def answer(self, asked: dict[str, Any], bent: Bent = HONEST) -> httpx.Response:
        return await self.send(asked, self.device.get(asked["passkey"], bent))

    async def send(self, asked: dict[str, Any], credential: dict[str, Any]) -> httpx.Response:
        body = {"method": "passkey", "credential": credential}
        return await self.client.post(f"/v1/login/challenges/{asked['challenge_id']}", json=body)


async def start_passkey(client: httpx.AsyncClient) -> dict[str, Any]:
    started = await client.post("/v1/me/passkeys/options")
    assert started.status_code == 200, started.text
    return dict(started.json())


async def add_passkey(
    client: httpx.AsyncClient, started: dict[str, Any], credential: dict[str, Any], name: str = ""
) -> httpx.Response:
    body = {"challenge_id": started["challenge_id"], "credential": credential, "name": name}
    return await client.post("/v1/me/passkeys", json=body)


@asynccontextmanager
async def holder(journey: Journey, *, level: int = 1) -> AsyncIterator[Holder]:
    """A new citizen; at level 2 where a register is to have matched them."""
    person = somebody()
    tokens = await journey.register(person)
    if level > 1:
        await journey.raise_citizen(person, level)
    device = Authenticator(f"http://localhost:{journey.api.settings.port}")
    async with journey.api.client(token=tokens["access_token"]) as client:
        started = await start_passkey(client)
        added = await add_passkey(client, started, device.create(started["options"]), "Ponsel")
        assert added.status_code == 201, added.text
        yield Holder(journey, person, tokens, device, client)

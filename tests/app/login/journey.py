"""A person's way through login, over the real API; codes are read where they wait to be sent, encrypted."""

import itertools
import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import msgspec
from sqlalchemy import select, update

from app.audit.models import AuditRow
from app.backends.actions import hold_breaker
from app.database import Database
from app.inbox.models import NOTE_PHONE, NOTE_TEXT, OutgoingMessage
from app.login.identity import Person
from app.login.models import Citizen
from app.privacy import Vault
from tests.harness.product import Api

PASSWORD = "Tujuh-Becak-Biru"
WRONG_PASSWORD = "Tujuh-Becak-Merah"
_serials = itertools.count(9100)


def somebody(name: str = "Ayu Puspita") -> Person:
    """A fictitious person nobody else in this run is: the serials from 9100 are ours."""
    serial = next(_serials)
    return Person(f"357102450590{serial}", name, date(1990, 5, 5), f"+62812900{serial:05}")


class Journey(msgspec.Struct, frozen=True):
    """The API and a look into its database, with its own keys."""

    api: Api
    database: Database
    vault: Vault

    async def notes(self, phone: str) -> list[str]:
        """Every text that waits to be sent to `phone`, newest first."""
        async with self.database.transaction() as session:
            rows = (
                await session.scalars(
                    select(OutgoingMessage)
                    .where(OutgoingMessage.text_enc.is_not(None))
                    .order_by(OutgoingMessage.id.desc())
                )
            ).all()
        return [
            self.vault.decrypt(row.text_enc, NOTE_TEXT).decode()
            for row in rows
            if row.text_enc and row.phone_enc and self.vault.decrypt(row.phone_enc, NOTE_PHONE).decode() == phone
        ]

    async def code(self, phone: str) -> str:
        found = re.search(r"\b\d{6}\b", (await self.notes(phone))[0])
        assert found
        return found[0]

    async def raise_citizen(self, person: Person, level: int) -> None:
        """As if a register had matched them."""
        async with self.database.transaction() as session:
            mine = Citizen.nik_index == self.vault.index("nik", person.nik)
            await session.execute(update(Citizen).where(mine).values(assurance_level=level))

    async def recorded(self, citizen_id: str) -> list[str]:
        """What the audit record says was done with this citizen's data, oldest first."""
        async with self.database.transaction() as session:
            rows = select(AuditRow.action).where(AuditRow.subject_id == UUID(citizen_id)).order_by(AuditRow.id)
            return list(await session.scalars(rows))

    async def start_registration(self, client: httpx.AsyncClient, person: Person) -> httpx.Response:
        return await client.post(
            "/v1/login/registrations",
            json={
                "nik": person.nik,
                "name": person.name,
                "birth_date": person.birth_date.isoformat(),
                "phone": person.phone,
            },
        )

    async def confirm(
        self, client: httpx.AsyncClient, registration_id: str, code: str, password: str = PASSWORD
    ) -> httpx.Response:
        return await client.post(
            f"/v1/login/registrations/{registration_id}/confirm", json={"code": code, "password": password}
        )

    async def register(self, person: Person) -> dict[str, Any]:
        """A new account; its tokens."""
        async with self.api.client() as client:
            started = await self.start_registration(client, person)
            assert started.status_code == 202, started.text
            code = await self.code(person.phone)
            confirmed = await self.confirm(client, started.json()["registration_id"], code)
        assert confirmed.status_code == 201, confirmed.text
        return dict(confirmed.json())

    async def prove(self, person: Person, level: int = 2) -> None:
        """As if the population register had matched them, or had not."""
        raised = update(Citizen).where(Citizen.nik_index == self.vault.index("nik", person.nik))
        async with self.database.transaction() as session:
            await session.execute(raised.values(assurance_level=level))

    async def ask_code(
        self, client: httpx.AsyncClient, nik: str, password: str = PASSWORD, device_name: str = ""
    ) -> httpx.Response:
        body = {"nik": nik, "password": password, "device_name": device_name}
        return await client.post("/v1/login/sessions", json=body)

    async def answer(self, client: httpx.AsyncClient, challenge_id: str, code: str) -> httpx.Response:
        return await client.post(f"/v1/login/challenges/{challenge_id}", json={"method": "otp", "code": code})

    async def log_in(self, person: Person, device_name: str = "") -> dict[str, Any]:
        """A new session of somebody who has an account; its tokens."""
        async with self.api.client() as client:
            asked = await self.ask_code(client, person.nik, device_name=device_name)
            assert asked.status_code == 200, asked.text
            answered = await self.answer(client, asked.json()["challenge_id"], await self.code(person.phone))
        assert answered.status_code == 201, answered.text
        return dict(answered.json())

    async def refresh(self, client: httpx.AsyncClient, refresh_token: str) -> httpx.Response:
        return await client.post("/v1/login/refresh", json={"refresh_token": refresh_token})

    async def me(self, access_token: str) -> httpx.Response:
        async with self.api.client(token=access_token) as client:
            return await client.get("/v1/me")


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this problem document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = dict(response.json())
    assert (document["status"], document["code"]) == (status, code), document
    assert not document["detail"].startswith("error."), "the text is missing"
    assert document["request_id"] == response.headers["x-request-id"]
    return document


async def hold_register(environment: Mapping[str, str]) -> None:
    """The population register's breaker held closed, for a module whose tests have faults of their own."""
    database = Database(environment["LOKET_DATABASE_URL"], pool_size=1, name="test")
    async with database.begin() as connection:
        await hold_breaker(connection, ("dukcapil", ""), "closed", "each test has faults of its own", "test")
    await database.close()

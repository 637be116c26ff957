"""Officers for tests: accounts made as the product makes them, each logged in with a session and token of its own."""

import itertools
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from app.assembly import build
from app.login.guards import Role
from app.login.officers.accounts import CITY_WIDE, Factors, NewOfficer, new_account
from app.login.officers.door import Door
from app.login.officers.sessions import Place, open_officer_session
from app.texts import Language
from tests.harness.cases import new_key
from tests.harness.people import hashed
from tests.harness.product import Api

PASSWORD = "Loket-Demo-2026"
TOTP_SECRET = "JBSWY3DPEHPK3PXP"
_numbers = itertools.count(1)


class OfficerAtWork:
    """One officer. `client` sends their token with every request."""

    def __init__(self, officer_id: UUID, new: NewOfficer, token: str, client: httpx.AsyncClient) -> None:
        self.id = officer_id
        self.name, self.role, self.agency = new.name, new.role, new.agency
        self.token = token
        self.client = client

    async def get(self, path: str, **more: str) -> httpx.Response:
        """GET with query parameters."""
        return await self.client.get(path, params=more)

    async def post(self, path: str, body: object = None, key: str | None = None) -> httpx.Response:
        """POST JSON, under a new Idempotency-Key where none is given."""
        return await self.client.post(path, json=body, headers={"Idempotency-Key": key or new_key()})


class Officers:
    """Makes officers in the running product's database. Used as an async context manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.product = build(api.settings, "test")
        self._made: list[OfficerAtWork] = []

    async def __aenter__(self) -> Self:
        await self.product.gate.keys.open()
        self._factors = Factors(await hashed(PASSWORD, self.product.gate.passwords), TOTP_SECRET)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for officer in self._made:
            await officer.client.aclose()
        await self.product.gate.close()
        await self.product.close()

    async def make(
        self, role: Role = "operator", agency: str = "dpmptsp", *, language: Language = "id"
    ) -> OfficerAtWork:
        """A new officer of this role and agency, logged in. The roles of the whole city have no agency."""
        number = next(_numbers)
        new = NewOfficer(
            name=f"{role.replace('_', '.')}.{number}",
            full_name=f"Petugas Uji {number}",
            agency="" if role in CITY_WIDE else agency,
            role=role,
            created_by="test",
            language=language,
        )
        async with self.product.database.transaction() as session:
            account = new_account(session, self.product.vault, new, self._factors)
            await session.flush()
            opened = open_officer_session(session, self.product.vault, account.id, "token", Place("test", ""))
        token = Door(self.product.gate).tokens.issue(account.id, opened.session_id)
        officer = OfficerAtWork(account.id, new, token, self._api.client(token, language))
        self._made.append(officer)
        return officer

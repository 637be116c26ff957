"""Citizens for tests: accounts made as registration makes them, each logged in with a session and token of its own."""

import itertools
from datetime import date
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from app.assembly import build
from app.login.accounts import NewAccount, create_account
from app.login.identity import Person
from app.login.passwords import PasswordHasher
from app.login.sessions import open_session
from tests.harness.product import Api
from tests.harness.witness import forget, remember

PASSWORD = "Loket-Demo-2026"
_BORN = date(1990, 5, 17)
_serials = itertools.count(5001)
_hashes: dict[str, str] = {}


async def hashed(password: str, hasher: PasswordHasher) -> str:
    """Its hash, made once in a test process: it takes a program of its own."""
    if password not in _hashes:
        _hashes[password] = await hasher.hash(password)
    return _hashes[password]


class Citizen:
    """One citizen. `client` sends their token with every request."""

    def __init__(self, citizen_id: UUID, person: Person, token: str, client: httpx.AsyncClient) -> None:
        self.id = citizen_id
        self.person = person
        self.token = token
        self.client = client

    async def get(self, path: str, **more: str) -> httpx.Response:
        """GET with query parameters."""
        return await self.client.get(path, params=more)

    async def post(self, path: str, body: object, key: str | None = None) -> httpx.Response:
        """POST JSON, with an Idempotency-Key where one is given."""
        return await self.client.post(path, json=body, headers={"Idempotency-Key": key} if key else {})


class People:
    """Makes citizens in the running product's database. Used as an async context manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._product = build(api.settings, "test")
        self._made: list[Citizen] = []

    async def __aenter__(self) -> Self:
        await self._product.gate.keys.open()
        self._secret = await hashed(PASSWORD, self._product.gate.passwords)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for citizen in self._made:
            await citizen.client.aclose()
            forget(citizen.id)
        await self._product.gate.close()
        await self._product.close()

    async def make(self, *, assurance_level: int = 2, language: str = "id", nik: str = "", name: str = "") -> Citizen:
        """A new citizen, logged in; with a NIK that an agency knows something of, where one is given."""
        serial = next(_serials)
        nik = nik or f"357102{_BORN:%d%m%y}{serial}"
        person = Person(nik, name or f"Warga Uji {serial}", _BORN, f"+62812900{serial:05}")
        async with self._product.database.transaction() as session:
            account = NewAccount(person, self._secret, language, assurance_level)
            citizen_id = await create_account(session, self._product.vault, account)
            assert citizen_id is not None
            opened = await open_session(session, citizen_id, assurance_level, "test")
        token = self._product.gate.tokens.issue(opened.citizen_id, opened.session_id, opened.assurance_level)
        citizen = Citizen(citizen_id, person, token, self._api.client(token, language))
        self._made.append(citizen)
        remember(citizen_id, (nik, person.name, person.phone))
        return citizen

"""Who a run is about: citizens who hand in and log out, and an officer who looks at what they handed in."""

import time
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from app.assembly import Product, build
from app.login.accounts import NewAccount, create_account
from app.login.identity import Person
from app.login.officers.accounts import Factors, NewOfficer, new_account
from app.login.officers.door import Door
from app.login.officers.sessions import Place, open_officer_session
from app.login.sessions import open_session
from app.settings import Settings
from bench.seed import documents
from tests.harness.canaries import Canary, digits, words
from tests.harness.officers import TOTP_SECRET
from tests.harness.people import PASSWORD

# Tokens live five minutes: each is made anew before that.
TOKEN_S = 200.0
LEVEL = 2
BORN = date(1990, 5, 17)
AGENCY = "dpmptsp"
CANARIES = 3


class Account(msgspec.Struct):
    """A citizen of the run. The token is made anew by `Crowd.token`."""

    id: UUID
    session_id: UUID
    token: str = ""
    made_at: float = float("-inf")


class Crowd:
    """Accounts and their tokens, made by the harness: nobody logs in, so nothing but handing in is under load.
    `leavers` are citizens who will log out, `officer` is of the agency that every case goes to."""

    def __init__(self, product: Product, citizens: Sequence[Account], leavers: int, officer: Account) -> None:
        self._product = product
        self.accounts = citizens[leavers:]
        self.leavers = citizens[:leavers]
        self.officer = officer

    @classmethod
    async def gather(cls, settings: Settings, size: int, leavers: int = 0) -> "Crowd":
        product = build(settings, "chaos")
        await product.gate.keys.open()
        secret = await product.gate.passwords.hash(PASSWORD)
        citizens = [await _account(product, secret, number) for number in range(size + leavers)]
        return cls(product, citizens, leavers, await _officer(product, secret))

    @property
    def canaries(self) -> list[Canary]:
        """What betrays some of them: their numbers are alike in all but the last digits, so a few stand for all."""
        some = range(len(self.leavers), len(self.leavers) + len(self.accounts), max(1, len(self.accounts) // CANARIES))
        people = [person(number) for number in some]
        numbers = [digits("a NIK", each.nik) for each in people] + [
            digits("a phone", each.phone[1:]) for each in people
        ]
        return [*numbers, *(words("a name", each.name) for each in people), words("a password", PASSWORD)]

    def officers_token(self) -> str:
        return Door(self._product.gate).tokens.issue(self.officer.id, self.officer.session_id)

    def token(self, account: Account) -> str:
        if time.monotonic() - account.made_at > TOKEN_S:
            account.token = self._product.gate.tokens.issue(account.id, account.session_id, LEVEL)
            account.made_at = time.monotonic()
        return account.token

    async def files(self, count: int) -> list[UUID]:
        """One uploaded document for each of `count` cases, by the citizens in turn."""
        owners = [self.accounts[at % len(self.accounts)].id for at in range(count)]
        product = self._product
        return await documents(product.settings.database_url, product.cases.files, product.vault, owners)

    async def disperse(self) -> None:
        await self._product.gate.close()
        await self._product.close()


async def _account(product: Product, secret: str, number: int) -> Account:
    who = person(number)
    async with product.database.transaction() as session:
        citizen_id = await create_account(session, product.vault, NewAccount(who, secret, "id", LEVEL))
        assert citizen_id is not None
        opened = await open_session(session, citizen_id, LEVEL, "chaos")
    return Account(opened.citizen_id, opened.session_id)


async def _officer(product: Product, secret: str) -> Account:
    new = NewOfficer(
        name="operator.1", full_name="Petugas Uji", agency=AGENCY, role="operator", created_by="chaos", language="id"
    )
    async with product.database.transaction() as session:
        made = new_account(session, product.vault, new, Factors(secret, TOTP_SECRET))
        await session.flush()
        opened = open_officer_session(session, product.vault, made.id, "token", Place("chaos", ""))
    return Account(made.id, opened.session_id)


def person(number: int) -> Person:
    """Who the run's citizen of this number is."""
    return Person(
        f"3571{1 + number // 9000:02d}{BORN:%d%m%y}{1001 + number % 9000}",
        f"Warga {_letters(number)}",
        BORN,
        f"+6281290{number:06d}",
    )


def _letters(number: int) -> str:
    """A name of its own, without digits."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(3)).capitalize()

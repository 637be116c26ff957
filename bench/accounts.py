"""People with accounts and passwords, for measuring login, and NIKs that nobody has. All fictitious."""

from collections.abc import Sequence
from datetime import date, timedelta

from app.database import Database
from app.login.accounts import NewAccount, create_account
from app.login.identity import Person
from app.login.passwords import PasswordHasher
from app.privacy import Vault

PASSWORD = "Tujuh-Becak-Biru"  # noqa: S105 - of people who do not exist
_FIRST_BORN = date(1960, 1, 1)
_SERIALS = 900


def person(number: int) -> Person:
    """The same fictitious person for the same number."""
    born = _FIRST_BORN + timedelta(days=number // _SERIALS)
    nik = f"357102{born:%d%m%y}{9001 + number % _SERIALS}"
    return Person(nik, "Warga Uji", born, f"+6281355{number:06}")


async def make_accounts(database_url: str, vault: Vault, count: int, assurance_level: int) -> Sequence[Person]:
    """Accounts of the first `count` persons, all with PASSWORD."""
    database = Database(database_url, pool_size=1, name="bench")
    passwords = PasswordHasher()
    made = [person(number) for number in range(count)]
    try:
        secret = await passwords.hash(PASSWORD)
        async with database.transaction() as session:
            for each in made:
                await create_account(session, vault, NewAccount(each, secret, "id", assurance_level))
    finally:
        passwords.close()
        await database.close()
    return made

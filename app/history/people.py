"""Fictitious citizens of the demo's past: names by Faker, NIK in the band that no register gives out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from faker import Faker

from app.history.moments import id_at
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK
from app.privacy import Vault

# Nobody has a serial from 9001 on; the first fifty are the demo's own people.
_FIRST_SERIAL = 9051
_OLDEST = date(1948, 1, 1)
_BIRTHDAYS = 21_000
_WOMAN = 40
_NAMES = 1500


def nik_of(number: int, districts: Sequence[str]) -> tuple[str, date]:
    """The `number`th NIK of the past and the birth date in it; no two are alike."""
    day, above = number * 7919 % _BIRTHDAYS, number // _BIRTHDAYS
    born = _OLDEST + timedelta(days=day)
    district = districts[above % len(districts)]
    is_woman = number % 2
    day_in_nik = born.day + _WOMAN * is_woman
    serial = _FIRST_SERIAL + above // len(districts)
    return f"{district.replace('.', '')}{day_in_nik:02d}{born:%m%y}{serial:04d}", born


class People:
    """Makes them, the same for the same seed."""

    def __init__(self, vault: Vault, districts: Sequence[str], rng: Random) -> None:
        self._vault, self._districts, self._rng = vault, districts, rng
        faker = Faker("id_ID")
        faker.seed_instance(rng.random())
        self._first = (_drawn(faker.first_name_male), _drawn(faker.first_name_female))
        self._last = (_drawn(faker.last_name_male), _drawn(faker.last_name_female))

    def mark(self) -> bytes:
        """What the first of them is found by."""
        return self._vault.index("nik", nik_of(0, self._districts)[0])

    def citizens(self, numbers: Iterable[int], ids: Sequence[UUID], since: datetime) -> Iterator[tuple[Any, ...]]:
        """Rows of `citizens`."""
        encrypt = self._vault.encrypt
        for number in numbers:
            nik, born = nik_of(number, self._districts)
            sex = number % 2
            name = f"{self._rng.choice(self._first[sex])} {self._rng.choice(self._last[sex])}"
            yield (
                ids[number],
                encrypt(nik.encode(), NIK),
                self._vault.index("nik", nik),
                encrypt(name.encode(), NAME),
                encrypt(born.isoformat().encode(), BIRTH_DATE),
                1 if number % 11 == 0 else 2,
                since,
            )

    def contacts(self, numbers: Iterable[int], ids: Sequence[UUID], since: datetime) -> Iterator[tuple[Any, ...]]:
        """A confirmed phone for each, of a range that rings nowhere."""
        for number in numbers:
            phone = f"+628130{number:07d}"
            sealed, index = self._vault.encrypt(phone.encode(), CONTACT), self._vault.index("phone", phone)
            yield id_at(since.timestamp(), self._rng), ids[number], "phone", sealed, index, since


def _drawn(make: Any) -> Sequence[str]:
    return sorted({str(make()) for _ in range(_NAMES)})

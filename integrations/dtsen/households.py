"""The pretended register: the demo's households, and as many invented ones as are asked for, always the same.

NIK serials from 9101 on are the invented ones': they are nobody's.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

FEW, MANY = 300, 50_000
_FIRST_SERIAL, _SERIALS = 9101, 899
_WOMEN_DAY = 40
_SEED = 20_261_122
_BORN_FROM = {"grown": date(1961, 1, 1), "child": date(2008, 1, 1), "elder": date(1941, 1, 1)}
_BORN_WITHIN_DAYS = {"grown": 15_000, "child": 6_000, "elder": 6_500}
# Of a hundred households, how many are in each decile; the rest are not determined yet.
_DECILES = (9, 10, 11, 12, 12, 11, 10, 9, 7, 5)

Age = Literal["grown", "child", "elder"]


class Programme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One programme. A payment is for so many `months`, to the household or to each of `for_each`."""

    code: str
    kind: str
    name: str
    owner: str
    about: str
    eligibility: str
    legal_basis: Sequence[str]
    deciles: tuple[int, int]
    months: int
    channel: str
    amount_idr: int | None = None
    for_each: Literal["", "all", "elders", "pupils"] = ""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    nik: str
    name: str
    born: date
    sex: Literal["L", "P"]
    relation: str


class Household(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`programmes`: codes of what it receives. `decile` None: not determined."""

    family_card: str
    village_code: str
    address: str
    rt: str
    rw: str
    decile: int | None
    programmes: Sequence[str]
    members: Sequence[Member]

    @property
    def id(self) -> str:
        """The agency's own key, which tells nothing of anybody."""
        return f"KLG-{hashlib.blake2b(self.family_card.encode(), digest_size=6).hexdigest()}"


class District(msgspec.Struct, frozen=True):
    name: str
    villages: Sequence[str]


class Names(msgspec.Struct, frozen=True):
    men: Sequence[str]
    women: Sequence[str]
    last: Sequence[str]
    streets: Sequence[str]


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """sandbox.toml."""

    office: str
    visitor: str
    programmes: Sequence[Programme]
    districts: Mapping[str, District]
    names: Names
    demo: Sequence[Household]

    def village(self, code: str) -> str:
        """A kelurahan's name by its code, "" for one outside the city."""
        district, number = self.districts.get(code[:8]), int(code[9:] or 0) - 1001
        return district.villages[number] if district and 0 <= number < len(district.villages) else ""


START = msgspec.toml.decode(Path(__file__).with_name("sandbox.toml").read_bytes(), type=Start)


@lru_cache(maxsize=2)
def population(count: int = FEW) -> Sequence[Household]:
    """The demo's households and invented ones, `count` in all; fewer are the beginning of more."""
    return (*START.demo, *_Inventor().households(count - len(START.demo)))


class _Inventor:
    """Invents households one after another, by a generator of its own."""

    def __init__(self) -> None:
        self._chance = random.Random(_SEED)  # noqa: S311 - invented people are no secret
        self._people = 0
        self._taken: set[str] = set()
        self._villages = [
            f"{district}.{1001 + at}" for district, each in START.districts.items() for at in range(len(each.villages))
        ]

    def households(self, count: int) -> Iterator[Household]:
        for number in range(count):
            yield self._household(number)

    def _household(self, number: int) -> Household:
        chance = self._chance
        village = chance.choice(self._villages)
        prefix = village[:8].replace(".", "")
        decile = chance.choices([*range(1, 11), None], weights=[*_DECILES, 100 - sum(_DECILES)])[0]
        made = date(2009, 1, 1) + timedelta(days=number % 5_000)
        members = list(self._members(prefix))
        return Household(
            family_card=f"{prefix}{made:%d%m%y}{9101 + number // 5_000}",
            village_code=village,
            address=f"{chance.choice(START.names.streets)} {chance.randint(1, 180)}",
            rt=f"{chance.randint(1, 9):02}",
            rw=f"{chance.randint(1, 9):02}",
            decile=decile,
            programmes=[each.code for each in START.programmes if self._receives(each, decile, members)],
            members=members,
        )

    def _members(self, prefix: str) -> Iterator[Member]:
        chance = self._chance
        last = chance.choice(START.names.last)
        alone = chance.random() < 0.15
        yield self._member(prefix, last, "P" if alone else "L", "KEPALA KELUARGA", "grown")
        if not alone:
            yield self._member(prefix, chance.choice(START.names.last), "P", "ISTRI", "grown")
        for _ in range(chance.choices((0, 1, 2, 3, 4), weights=(12, 30, 34, 18, 6))[0]):
            yield self._member(prefix, last, "L" if chance.random() < 0.5 else "P", "ANAK", "child")
        if chance.random() < 0.2:
            yield self._member(prefix, chance.choice(START.names.last), "P", "ORANG TUA", "elder")

    def _member(self, prefix: str, last: str, sex: Literal["L", "P"], relation: str, age: Age) -> Member:
        first = self._chance.choice(START.names.men if sex == "L" else START.names.women)
        born = _BORN_FROM[age] + timedelta(days=self._chance.randrange(_BORN_WITHIN_DAYS[age]))
        serial = _FIRST_SERIAL + self._people % _SERIALS
        self._people += 1
        while (nik := _nik(prefix, born, sex, serial)) in self._taken:
            born += timedelta(days=1)
        self._taken.add(nik)
        return Member(nik, f"{first} {last}", born, sex, relation)

    def _receives(self, programme: Programme, decile: int | None, members: Sequence[Member]) -> bool:
        """Nine of ten that may have it do."""
        lowest, highest = programme.deciles
        may = decile is not None and lowest <= decile <= highest and bool(beneficiaries(programme, members))
        return may and self._chance.random() < 0.9


def beneficiaries(programme: Programme, members: Sequence[Member]) -> Sequence[Member]:
    """Whom of a household a programme is for; all where it is for the household as one."""
    match programme.for_each:
        case "elders":
            return [each for each in members if each.born.year <= 1966]
        case "pupils":
            return [each for each in members if 2011 <= each.born.year <= 2019]
    return members


def _nik(prefix: str, born: date, sex: str, serial: int) -> str:
    day = born.day + (_WOMEN_DAY if sex == "P" else 0)
    return f"{prefix}{day:02}{born:%m%y}{serial}"

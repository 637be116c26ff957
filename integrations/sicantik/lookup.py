"""Whether a registration whose answer was lost was made: SICANTIK stores our reference and never shows it again.

Its list leaves out what came in online and no officer took on yet, but numbers can be guessed (running, permit type,
kind, month, year): all that could be ours and are nobody's yet are asked for one by one.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import msgspec

from app.cases.port import Receipt
from app.errors import OutcomeUnknown
from integrations.sicantik.client import Row, SicantikClient, is_registration, text
from integrations.sicantik.forms import clean, local_phone
from integrations.sicantik.lists import PermitType
from services.permits.port import PermitApplication

WIB = timezone(timedelta(hours=7))
LISTED_ROWS = 1_000
# How far before and behind the highest running number known a registration of ours may lie.
BEFORE = 500
BEHIND = 40
# The number is max(id)+1 over there, so registrations made at one moment share one: the newest are asked for even where
# they are another case's.
SHARED = 30
MOST_QUESTIONS = 800
AT_ONCE = 8

Whose = Literal["ours", "another's", "unclear"]


class Number(msgspec.Struct, frozen=True):
    """A registration number taken apart. `slashes`: how one city writes them."""

    running: int
    type_and_kind: str
    month: str
    year: str
    slashes: bool


class Lookup:
    """Looks for one application's registration."""

    def __init__(self, client: SicantikClient, backend: str) -> None:
        self._client = client
        self._backend = backend

    async def find(
        self, application: PermitApplication, permit: PermitType, kind_id: str, taken: Sequence[str]
    ) -> Receipt | None:
        """The one registration of this person, by name and telephone, that is no other case's; None: there is none.

        Raises OutcomeUnknown where several are, or where one cannot be told from ours.
        """
        rows = await self._client.newest(LISTED_ROWS)
        known = {number for row in rows if is_registration(number := text(row, "pendaftaran_id"))} | set(taken)
        listed = {text(row, "pendaftaran_id") for row in rows if _may_be(row, application, permit)} - set(taken)
        found = {number: rows for number in sorted(listed) if (rows := await self._client.registration(number))}
        parts = permit.id.zfill(3) + kind_id.zfill(2)
        for month, year in _months(application.submitted_at):
            found |= await self._guess(_Guess(parts, month, year, known))
        return self._decide(found, application, permit, set(taken))

    async def _guess(self, guess: "_Guess") -> dict[str, list[Row]]:
        """Every unclaimed registration of this type, kind and month around the newest numbers."""
        known_runs, highest, slashes = guess.of_the_year()
        skipped = {n for n in known_runs if n <= highest - SHARED}
        found: dict[str, list[Row]] = {}
        running, asked = max(1, highest - BEFORE), 0
        while running <= highest + BEHIND:
            batch = [n for n in range(running, min(running + AT_ONCE, highest + BEHIND + 1)) if n not in skipped]
            running += AT_ONCE
            asked += len(batch)
            if asked > MOST_QUESTIONS:
                raise OutcomeUnknown(self._backend, "find", "too many unclaimed registrations", code="cannot_tell")
            numbers = [guess.number(n, slashes=slashes) for n in batch]
            answers = await asyncio.gather(*(self._client.registration(number) for number in numbers))
            for n, number, rows in zip(batch, numbers, answers, strict=True):
                if rows:
                    found[number] = rows
                    highest = max(highest, n)
        return found

    def _decide(
        self, found: dict[str, list[Row]], application: PermitApplication, permit: PermitType, taken: set[str]
    ) -> Receipt | None:
        ours = []
        for number, rows in found.items():
            whose = {_whose(row, application, permit) for row in rows}
            if number in taken:
                # Another case's, unless a second registration bears the same number.
                if len(rows) > 1 and whose != {"another's"}:
                    raise OutcomeUnknown(self._backend, "find", f"{number} was given twice", code="number_collision")
            elif "unclear" in whose or ("ours" in whose and len(rows) > 1):
                raise OutcomeUnknown(self._backend, "find", f"{number} cannot be told from ours", code="cannot_tell")
            elif "ours" in whose:
                ours.append(number)
        if len(ours) > 1:
            raise OutcomeUnknown(self._backend, "find", f"{len(ours)} could be ours", code="cannot_tell")
        return Receipt(ours[0]) if ours else None


class _Guess(msgspec.Struct, frozen=True):
    type_and_kind: str
    month: str
    year: str
    known: set[str]

    def of_the_year(self) -> tuple[set[int], int, bool]:
        """Running numbers of the year that are somebody's, the highest, and whether they are written with slashes."""
        numbers = [number for value in self.known if (number := _apart(value)) and number.year == self.year]
        runs = {number.running for number in numbers}
        return runs, max(runs, default=0), any(number.slashes for number in numbers)

    def number(self, running: int, *, slashes: bool) -> str:
        kind = self.type_and_kind[-2:]
        parts = (f"{running:05d}", self.type_and_kind[:-2], kind, self.month, self.year)
        return ("/" if slashes else "").join(parts)


def _apart(number: str) -> Number | None:
    """Running number first, month and year last; what lies between is type and kind."""
    match = re.fullmatch(r"([0-9]{5})/?([0-9/]+?)/?([0-9]{2})/?([0-9]{4})", number)
    if not match:
        return None
    running, between, month, year = match.groups()
    return Number(int(running), between.replace("/", ""), month, year, "/" in number)


def _may_be(row: Row, application: PermitApplication, permit: PermitType) -> bool:
    """Whether a listed registration could be ours: by name, by type, and, as namesakes of the past are many, by a
    number of the month of handing in or later."""
    number = _apart(text(row, "pendaftaran_id"))
    handed_in = application.submitted_at.astimezone(WIB)
    recent = number is not None and (number.year, number.month) >= (f"{handed_in.year}", f"{handed_in.month:02d}")
    return recent and _same_name(row, "n_pemohon", application) and _same(text(row, "n_perizinan"), permit.name)


def _whose(row: Row, application: PermitApplication, permit: PermitType) -> Whose:
    """By telephone first: namesakes are many, numbers are not. Only a whole, different number makes it another's."""
    if not _same(text(row, "permohonan"), permit.name):
        return "another's"
    phone, ours = local_phone(text(row, "telp")), local_phone(application.applicant_phone)
    if phone == ours:
        return "ours" if _same_name(row, "nama", application) else "unclear"
    return "another's" if re.fullmatch(r"0[0-9]{8,13}", phone) else "unclear"


def _same_name(row: Row, key: str, application: PermitApplication) -> bool:
    return _same(text(row, key), application.applicant_name)


def _same(one: str, other: str) -> bool:
    return clean(one).casefold() == clean(other).casefold()


def _months(since: datetime) -> Iterator[tuple[str, str]]:
    """Month and year of every month from handing in until now, as the agency's clock has them; three at most."""
    today = datetime.now(UTC).astimezone(WIB).date()
    first = since.astimezone(WIB).date().replace(day=1)
    months: list[date] = []
    while first <= today:
        months.append(first)
        first = (first + timedelta(days=32)).replace(day=1)
    for month in months[-3:]:
        yield f"{month.month:02d}", f"{month.year}"

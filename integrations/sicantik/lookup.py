"""Whether a registration whose answer was lost was made: SICANTIK stores our reference and never shows it again.

Its list leaves out what came in online and no officer took on yet, but its numbers run on: every number that it can
have given since the case was sent, and that is nobody's yet, is asked for.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Literal

from app.agency_fields import local_phone
from app.cases.port import Receipt
from app.errors import OutcomeUnknown
from integrations.sicantik.client import Row, SicantikClient, is_registration, text
from integrations.sicantik.forms import clean
from integrations.sicantik.lists import PermitType
from integrations.sicantik.numbers import Series, apart, months, of_year
from services.permits.port import PermitApplication

LISTED_ROWS = 1_000
# How far behind the highest running number known a registration of ours may lie: what others made and nobody lists.
BEHIND = 40
MOST_QUESTIONS = 800
AT_ONCE = 8

Whose = Literal["ours", "another's", "unclear"]


class Lookup:
    """Looks for one application's registration."""

    def __init__(self, client: SicantikClient, backend: str) -> None:
        self._client = client
        self._backend = backend

    async def find(
        self, application: PermitApplication, permit: PermitType, kind_id: str, taken: Sequence[str]
    ) -> Receipt | None:
        """The one registration of this person, by name and telephone, that is no other case's; None: there is none.

        Raises OutcomeUnknown where several are, where one cannot be told from ours, or where none was found and more
        would have to be asked for than can be.
        """
        rows = await self._client.newest(LISTED_ROWS)
        listed = {number for row in rows if is_registration(number := text(row, "pendaftaran_id"))}
        known, possible = listed | set(taken), list(months(application.sent_at or application.submitted_at))
        slashes = any("/" in number for number in known)
        alike = {same for row in rows if (same := _alike(row, application, permit, possible))} - set(taken)
        search = _Search(self._client)
        for month, year in possible:
            series = Series(permit.id.zfill(3) + kind_id.zfill(2), month, year, slashes)
            after = max(of_year(application.given_before, year), default=0)
            await search.go(series, of_year(known, year), after, alike)
        found = self._decide(search.found, application, permit, set(taken))
        if found is None and search.left_out:
            raise OutcomeUnknown(self._backend, "find", "too many unclaimed registrations", code="cannot_tell")
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


class _Search:
    """Asks for numbers, each once. `left_out`: there were more than may be asked for."""

    def __init__(self, client: SicantikClient) -> None:
        self._client = client
        self._asked: dict[str, list[Row]] = {}
        self.left_out = False

    @property
    def found(self) -> dict[str, list[Row]]:
        return {number: rows for number, rows in self._asked.items() if rows}

    async def go(self, series: Series, known: dict[int, str], after: int, alike: set[str]) -> None:
        """All of a series that may be ours: `known` are somebody's, except those that look `alike`; ours came `after`.

        The newest first, so that where there are too many, those left out are the least likely.
        """
        since = {running: number for running, number in known.items() if running > after}
        highest = max(since, default=after)
        await self._ask([since[running] for running in sorted(since, reverse=True) if since[running] in alike])
        await self._ask_behind(series, highest)
        await self._ask([series.number(n) for n in range(highest, after, -1) if n not in since])
        if since:
            await self._ask_shared(series, since, known.get(after))

    async def _ask_behind(self, series: Series, highest: int) -> None:
        """What was made after the newest that is known; nobody told us how much that is."""
        running = highest
        while running < highest + BEHIND and not self.left_out:
            batch = range(running + 1, min(running + AT_ONCE, highest + BEHIND) + 1)
            running = batch[-1]
            await self._ask([series.number(n) for n in batch])
            highest = max([highest, *(n for n in batch if self._asked.get(series.number(n)))])

    async def _ask_shared(self, series: Series, since: dict[int, str], before: str | None) -> None:
        """Ours where it is hidden behind another's: a number is one more than the highest, so two registrations of one
        moment get the same. The rows' own ids betray them: between two numbers, more rows were made than numbers."""
        standing = sorted(since)
        await self._ask([series.number(standing[0]), series.number(standing[-1])])
        if before is not None:
            standing.insert(0, parts.running if (parts := apart(before)) else 0)
        names = {**since, standing[0]: before or since[standing[0]]}
        spans = [(0, len(standing) - 1)]
        while spans and not self.left_out:
            await self._ask([names[standing[end]] for span in spans for end in span])
            crowded = [(low, high) for low, high in spans if not self._is_full(names, standing[low], standing[high])]
            await self._ask([series.number(standing[high]) for low, high in crowded if high - low == 1])
            halves = [(low, (low + high) // 2, high) for low, high in crowded if high - low > 1]
            spans = [span for low, middle, high in halves for span in ((low, middle), (middle, high))]

    def _is_full(self, names: dict[int, str], low: int, high: int) -> bool:
        """Whether as many rows as numbers were made from one number to another."""
        first, last = (_row_id(self._asked.get(names[end], ())) for end in (low, high))
        return first is not None and last is not None and last - first == high - low

    async def _ask(self, numbers: Sequence[str]) -> None:
        wanted = [number for number in numbers if number not in self._asked]
        room = MOST_QUESTIONS - len(self._asked)
        self.left_out |= len(wanted) > room
        for start in range(0, min(len(wanted), room), AT_ONCE):
            batch = wanted[start : min(start + AT_ONCE, room)]
            answers = await asyncio.gather(*(self._client.registration(number) for number in batch))
            self._asked.update(zip(batch, answers, strict=True))


def _row_id(rows: Sequence[Row]) -> int | None:
    ids = [int(value) for row in rows if (value := text(row, "id")).isdecimal()]
    return max(ids, default=None)


def _alike(
    row: Row, application: PermitApplication, permit: PermitType, possible: Sequence[tuple[str, str]]
) -> str | None:
    """The number of a listed registration that could be ours: by name, by type, and, as namesakes of the past are many,
    of a month since it was sent."""
    parts = apart(number := text(row, "pendaftaran_id"))
    recent = parts is not None and (parts.month, parts.year) in possible
    same = _same_name(row, "n_pemohon", application) and _same(text(row, "n_perizinan"), permit.name)
    return number if recent and same else None


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

"""SICANTIK's registration numbers: running in the year, permit type, kind, month, year."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec

WIB = timezone(timedelta(hours=7))
# Its clock and ours need not agree on which day it is.
A_DAY = timedelta(days=1)
_NUMBER = re.compile(r"([0-9]{5})/?([0-9/]+?)/?([0-9]{2})/?([0-9]{4})")


class Number(msgspec.Struct, frozen=True):
    """A registration number taken apart. `slashes`: how one city writes them."""

    running: int
    type_and_kind: str
    month: str
    year: str
    slashes: bool


class Series(msgspec.Struct, frozen=True):
    """The numbers of one permit type and kind in one month. `slashes`: how this city writes them."""

    type_and_kind: str
    month: str
    year: str
    slashes: bool

    def number(self, running: int) -> str:
        parts = (f"{running:05d}", self.type_and_kind[:-2], self.type_and_kind[-2:], self.month, self.year)
        return ("/" if self.slashes else "").join(parts)


def apart(number: str) -> Number | None:
    """Running number first, month and year last; what lies between is type and kind. None for what is none."""
    match = _NUMBER.fullmatch(number)
    if not match:
        return None
    running, between, month, year = match.groups()
    return Number(int(running), between.replace("/", ""), month, year, "/" in number)


def of_year(numbers: Iterable[str], year: str) -> dict[int, str]:
    """Those of a year by their running number."""
    return {parts.running: number for number in numbers if (parts := apart(number)) and parts.year == year}


def months(since: datetime) -> Iterator[tuple[str, str]]:
    """Month and year of every month from then until now, as the agency's clock may have them; three at most."""
    first, last = ((moment.astimezone(WIB)).date() for moment in (since - A_DAY, datetime.now(UTC) + A_DAY))
    found: list[date] = []
    month = first.replace(day=1)
    while month <= last:
        found.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    for month in found[-3:]:
        yield f"{month.month:02d}", f"{month.year}"

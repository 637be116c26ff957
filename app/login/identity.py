"""Who somebody says they are: NIK, name, birth date and phone held against each other. Truth is for a register."""

import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import msgspec
from lokal.nik import parse_nik
from lokal.phone import parse_phone

from app.errors import FieldError, Unprocessable

_WOMEN_DAY = 40
_OLDEST_YEAR = 1900
# A day that has begun anywhere in the country is not the future.
_EASTERN_TIME = timezone(timedelta(hours=9))
_BETWEEN_LETTERS = " .,'-/`\u2019"


class Person(msgspec.Struct, frozen=True):
    """Checked as far as the words themselves go. `phone` is E.164."""

    nik: str
    name: str
    birth_date: date
    phone: str


def checked_person(nik: str, name: str, birth_date: date, phone: str, *, today: date) -> Person:
    """Raises Unprocessable with every fault found."""
    tidy_name = " ".join(unicodedata.normalize("NFKC", name).split())
    number = _mobile(phone)
    faults = [*_nik_faults(nik, birth_date, today)]
    if not _is_name(tidy_name):
        faults.append(FieldError("/name", "name_invalid"))
    if not number:
        faults.append(FieldError("/phone", "phone_invalid"))
    if faults:
        raise Unprocessable(errors=faults)
    return Person(nik, tidy_name, birth_date, number)


def checked_phone(phone: str) -> str:
    """The number as E.164. Raises Unprocessable."""
    number = _mobile(phone)
    if not number:
        raise Unprocessable(errors=[FieldError("/phone", "phone_invalid")])
    return number


def today_in_indonesia() -> date:
    return datetime.now(_EASTERN_TIME).date()


def _mobile(phone: str) -> str:
    """E.164, or "" for what is no Indonesian mobile number."""
    number = parse_phone(phone)
    usable = number.valid and number.type == "mobile" and number.e164 and number.e164.isascii()
    return str(number.e164) if usable else ""


def _nik_faults(nik: str, birth_date: date, today: date) -> Iterator[FieldError]:
    if not (nik.isascii() and nik.isdigit() and parse_nik(nik, reference_date=today).valid):
        yield FieldError("/nik", "nik_invalid")
        return
    day = int(nik[6:8])
    written = (day - _WOMEN_DAY if day > _WOMEN_DAY else day, int(nik[8:10]), int(nik[10:12]))
    if (birth_date.day, birth_date.month, birth_date.year % 100) != written:
        yield FieldError("/birth_date", "birth_date_not_of_nik")
    elif birth_date > today:
        # Two digits leave the century open; the date given closes it.
        yield FieldError("/nik", "nik_invalid")
        yield FieldError("/birth_date", "birth_date_impossible")
    elif birth_date.year < _OLDEST_YEAR:
        yield FieldError("/birth_date", "birth_date_impossible")


def _is_name(name: str) -> bool:
    """Letters of any script with what stands between them in names; some people have one name of one letter."""
    return any(c.isalpha() for c in name) and all(
        c.isalpha() or unicodedata.category(c).startswith("M") or c in _BETWEEN_LETTERS for c in name
    )

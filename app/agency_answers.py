"""Reading what untidy systems answer: JSON behind warnings, an envelope that decides, numbers as text, local times."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal, TypeVar

import msgspec

from app.agency_client import Reply
from app.agency_xml import UnsafeXml, read_xml

V = TypeVar("V")
# Scripts answer so to a form that they have taken, and what stands before them to whoever is not logged in.
TAKEN_OR_TURNED_AWAY = (302, 303)
# How many opening brackets are tried where something stands before the JSON.
MOST_OPENINGS = 40
MOST_DETAIL = 200
# At the very start, or where a line or an element ends: never inside a JSON that was cut off.
# PHP files that were saved with a byte order mark put one each before every answer.
# Each line is tried from its own beginning alone: a body of nothing but empty lines is read once, not once for each.
_OPENING = re.compile(rb"(?:\A|[\n>])(?:[ \t\r]|\xef\xbb\xbf)*+([{\[])")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.0+)?")
_FAULT_WORDS = ("faultstring", "Text", "message", "description")
_LONG_NUMBER = re.compile(r"[0-9]{9,}")
# Seconds would be ten digits until the year 2286, milliseconds have been thirteen since 2001.
_MILLISECONDS = re.compile(r"[0-9]{13}(?:\.0+)?")


class Envelope(msgspec.Struct, frozen=True):
    """What stands around an answer: the code that decides, words, and the answer itself, None where there is none."""

    code: int
    message: str
    response: object = None


class Fields:
    """One object of an answer, read by our names for its fields; why a value is None gathers in `missing`."""

    def __init__(self, row: Mapping[str, object]) -> None:
        self._row = row
        self.missing: dict[str, Literal["not_told", "unreadable"]] = {}

    def text(self, theirs: str) -> str:
        return text(self._row.get(theirs))

    def whole(self, ours: str, theirs: str) -> int | None:
        return self._noted(ours, theirs, whole(self._row.get(theirs)))

    def left(self, ours: str, theirs: str) -> int | None:
        """How much of something is left: some systems count on below none, where more was given than there was."""
        number = self.whole(ours, theirs)
        return None if number is None else max(number, 0)

    def moment(self, ours: str, theirs: str, zone: tzinfo) -> datetime | None:
        return self._noted(ours, theirs, moment(self._row.get(theirs), zone))

    def printed(self, ours: str, theirs: str) -> str | None:
        """A number as people read it; "" where a dash says that there is none yet."""
        written = self._noted(ours, theirs, self.text(theirs) or None)
        return "" if written in ("-", "0") else written

    def _noted(self, ours: str, theirs: str, value: V) -> V:
        if value is None:
            self.missing[ours] = "not_told" if self._row.get(theirs) in (None, "") else "unreadable"
        return value


def read_json(body: bytes) -> object:
    """The JSON of a body, after whatever HTML stands before it; None where there is none."""
    for opening, _ in zip(_OPENING.finditer(body), range(MOST_OPENINGS), strict=False):
        try:
            return msgspec.json.decode(body[opening.start(1) :])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return None


def is_unreadable(reply: Reply) -> bool:
    """Whether an answer that says yes is no object of JSON: a `Call.is_fault` where nothing else is to be expected."""
    return 200 <= reply.status < 300 and not isinstance(read_json(reply.body), dict)


def fault_unless(*answers: int) -> Callable[[Reply], bool]:
    """A `Call.is_fault`: whether a page in the system's way spoke (a login, a firewall, a wrong address), or nothing
    that can be read. `answers`: the statuses from 300 on with which the system itself refuses."""
    return lambda reply: is_unreadable(reply) or (reply.status >= 300 and reply.status not in answers)


def read_envelope(reply: Reply) -> Envelope | None:
    """`{"metadata": {"code", "message"}, "response"}`, in whatever case its keys are written; None where there is none.

    The HTTP status is not looked at: a refusal may be 200, and a ticket 201.
    """
    answer = _lower(read_json(reply.body))
    head = _lower(answer.get("metadata"))
    code = whole(head.get("code"))
    return None if code is None else Envelope(code, text(head.get("message")), answer.get("response"))


def rows(value: object) -> list[Mapping[str, object]]:
    """A list of objects, which may come as one object; empty where it is neither."""
    listed = value if isinstance(value, list) else [value]
    return [row for row in listed if isinstance(row, dict) and row]


def text(value: object) -> str:
    """A value as text, "" for none: numbers come as strings, and texts as numbers."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def whole(value: object) -> int | None:
    """A whole number that came as a number or as text (12, "12", "012", 12.0); None for anything else."""
    written = text(value)
    return int(written.split(".")[0]) if _NUMBER.fullmatch(written) else None


def moment(value: object, zone: tzinfo) -> datetime | None:
    """A time in UTC from milliseconds since 1970, as number or text, or from a local date and time without its zone."""
    written = text(value)
    try:
        if _MILLISECONDS.fullmatch(written):
            return datetime.fromtimestamp(int(written.split(".")[0]) / 1000, UTC)
        if len(written) < len("2026-11-23 08:00"):
            return None
        local = datetime.fromisoformat(written)
    except (ValueError, OverflowError, OSError):
        return None
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def matching(message: str, meanings: Sequence[tuple[str, Sequence[str]]]) -> str:
    """What a message means: the first meaning all of whose words stand in it, in any case and order; "" for none.

    Each entry is a meaning and its words; a word may name several, "habis|penuh". It stands for all that begin so.
    """
    said = " ".join(message.casefold().split())
    for meaning, words in meanings:
        if all(re.search(rf"\b(?:{word})", said) for word in words):
            return meaning
    return ""


def gateway_fault(body: bytes) -> str:
    """What a gateway before the system says in XML (SOAP or its own), for officers; "" where it says nothing of it."""
    try:
        root = read_xml(body)
    except UnsafeXml:
        return ""
    words = [each.text for each in root.iter() if each.tag.rpartition("}")[2] in _FAULT_WORDS and each.text]
    return for_officers("; ".join(words))


def for_officers(message: str) -> str:
    """An agency's own message, short, on one line and without NIK, card and telephone numbers."""
    return _LONG_NUMBER.sub("***", " ".join(message.split()))[:MOST_DETAIL]


def _lower(value: object) -> dict[str, object]:
    return {key.casefold(): each for key, each in value.items()} if isinstance(value, dict) else {}

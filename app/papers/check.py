"""The page a phone shows after it scanned a paper's QR code."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response

from app.pages.frame import page
from app.texts import Language

Kind = Literal["valid", "genuine", "expired", "not_genuine", "unavailable"]
RETRY_AFTER_S = 30
_TONES = {"valid": "good", "genuine": "good", "expired": "warn", "not_genuine": "bad", "unavailable": "info"}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says. `facts` are labels with their values, those without a value are left out."""

    kind: Kind
    title: str
    answer: str
    advice: str
    facts: Sequence[tuple[str, str | date | datetime | None]]


def kind_of(validity: Literal["valid", "expired", "unknown"], *, genuine: bool) -> Kind:
    if not genuine:
        return "not_genuine"
    return "genuine" if validity == "unknown" else validity


def check_page(verdict: Verdict, language: Language, zone: ZoneInfo) -> Response[str]:
    """The whole page, its times in the city's `zone`; where it cannot tell now, one that says when to come again."""
    values = {
        "title": verdict.title,
        "verdict": verdict,
        "tone": _TONES[verdict.kind],
        "facts": [(label, value, _kind_of_value(value)) for label, value in verdict.facts if value],
        "zone": zone,
    }
    unavailable = verdict.kind == "unavailable"
    answer = page("papers/check", language, values, status=503 if unavailable else 200)
    answer.headers["Vary"] = "Accept, Accept-Language"
    if unavailable:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _kind_of_value(value: str | date | datetime | None) -> str:
    if isinstance(value, datetime):
        return "moment"
    return "day" if isinstance(value, date) else "words"

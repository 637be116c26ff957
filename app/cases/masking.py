"""Hiding a person in what was said to and by an agency: their name, their own words, every number that could be theirs.

Codes, steps and the agency's own words stay: an officer must see why a delivery waits.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from app.cases.port import CaseData
from app.telemetry import mask_text

_WORD = re.compile(r"[^\W\d_]{3,}")
# Identity, card and telephone numbers; a bare date of eight digits stays below.
_DIGITS = re.compile(r"\d{9,}")
_DATE = re.compile(r"\b(?:\d{4}-\d{2}-\d{2}|\d{2}-\d{2}-\d{4})\b")
# A value whose name says that it is a credential, in JSON or in a form; token, sandi and kunci as agencies write them.
_SECRET = re.compile(
    r"(?i)(\"?[\w-]*(?:token|passw|secret|signature|api_?key|user_?key|sandi|passphrase)[\w-]*\"?\s*[:=]\s*\"?)([^\"&\s,}]+)"
)


class Mask:
    """What is hidden of one case: built once, used for each of its exchanges."""

    def __init__(self, case: CaseData, free_texts: Collection[str], kept: Collection[str]) -> None:
        """`free_texts`: what the citizen wrote in words of their own; `kept`: numbers of the matter itself."""
        texts = [case.applicant.name, *free_texts, *(file.name for file in case.files)]
        self._words = {word.casefold() for text in texts for word in _WORD.findall(text)}
        born = case.applicant.birth_date
        self._dates = {born.isoformat(), born.strftime("%d-%m-%Y"), *_dates_of(case.form)}
        self._kept = set(kept)

    def hide(self, text: str) -> str:
        hidden = _SECRET.sub(r"\1***", mask_text_but(text, self._kept))
        hidden = _DATE.sub(lambda found: "****-**-**" if found[0] in self._dates else found[0], hidden)
        hidden = _DIGITS.sub(lambda found: found[0] if found[0] in self._kept else _short(found[0]), hidden)
        return _WORD.sub(
            lambda found: _short_word(found[0]) if found[0].casefold() in self._words else found[0], hidden
        )


def mask_text_but(text: str, kept: Collection[str]) -> str:
    """The net under every log line, with the matter's own numbers left readable: some look like a NIK."""
    if not any(number in text for number in kept if number):
        return mask_text(text)
    parts = re.split("|".join(f"({re.escape(number)})" for number in kept if number), text)
    return "".join(part if part in kept else mask_text(part) for part in parts if part is not None)


def _dates_of(form: Mapping[str, object]) -> Iterator[str]:
    """Birth dates in a form: of family members."""
    for name, value in form.items():
        if "birth" in name and isinstance(value, str):
            yield value
            yield "-".join(reversed(value.split("-")))


def _short(digits: str) -> str:
    return f"{digits[:2]}{'*' * (len(digits) - 4)}{digits[-2:]}"


def _short_word(word: str) -> str:
    return word[0] + "*" * (len(word) - 1)

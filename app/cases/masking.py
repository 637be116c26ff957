"""Hiding a person in what was said to and by an agency: their name, their own words, every number that could be theirs.

Codes, steps and the agency's own words stay: an officer must see why a delivery waits.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from app.cases.port import CaseData

_WORD = re.compile(r"[^\W\d_]{3,}")
# Identity, card and telephone numbers; a bare date of eight digits stays below.
_DIGITS = re.compile(r"\d{9,}")
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]*")
# A value whose name says that it is a credential, in JSON or in a form; sandi is what agencies call a password.
_SECRET_WORDS = ("token", "passw", "secret", "signature", "apikey", "api_key", "user_key", "sandi", "passphrase")
_SECRET = re.compile(rf"(?i)((?:{'|'.join(_SECRET_WORDS)})[\w-]*+\"?\s*+[:=]\s*\"?)([^\"&\s,}}]+)")


class Mask:
    """What is hidden of one case: built once, used for each of its exchanges. It runs for every try of every delivery,
    so it looks for what there is to hide instead of at every word."""

    def __init__(self, case: CaseData, free_texts: Collection[str], kept: Collection[str]) -> None:
        """`free_texts`: what the citizen wrote in words of their own; `kept`: numbers of the matter itself."""
        texts = [case.applicant.name, *free_texts, *(file.name for file in case.files)]
        self._words = {word.lower() for text in texts for word in _WORD.findall(text)}
        born = case.applicant.birth_date
        self._dates = {born.isoformat(), born.strftime("%d-%m-%Y"), *_dates_of(case.form)}
        self._kept = set(kept)

    def hide(self, text: str) -> str:
        if not text:
            return text
        hidden = _DIGITS.sub(self._hidden_digits, text)
        lowered = hidden.lower()
        if any(word in lowered for word in _SECRET_WORDS):
            hidden = _SECRET.sub(r"\1***", hidden)
        hidden = _TOKEN.sub("[token]", hidden) if "eyJ" in hidden else hidden
        for day in self._dates:
            hidden = hidden.replace(day, "****-**-**")
        return self._without_words(hidden)

    def _hidden_digits(self, found: re.Match[str]) -> str:
        digits = found[0]
        return digits if digits in self._kept else f"{digits[:2]}{'*' * (len(digits) - 4)}{digits[-2:]}"

    def _without_words(self, text: str) -> str:
        lowered = text.lower()
        if len(lowered) != len(text):
            # A letter that is longer in small: places would not agree.
            return _WORD.sub(lambda found: _short(found[0]) if found[0].lower() in self._words else found[0], text)
        letters = list(text)
        for word in self._words:
            begin = lowered.find(word)
            while begin >= 0:
                end = begin + len(word)
                if not (lowered[begin - 1 : begin].isalpha() or lowered[end : end + 1].isalpha()):
                    letters[begin + 1 : end] = "*" * (len(word) - 1)
                begin = lowered.find(word, end)
        return "".join(letters)


def _dates_of(form: Mapping[str, object]) -> Iterator[str]:
    """Birth dates in a form: of family members."""
    for name, value in form.items():
        if "birth" in name and isinstance(value, str):
            yield value
            yield "-".join(reversed(value.split("-")))


def _short(word: str) -> str:
    return word[0] + "*" * (len(word) - 1)

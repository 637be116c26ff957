"""Words of questions and of texts, made comparable: one spelling, synonyms side by side, fillers left out."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

MOST_WORDS = 12
LONGEST_WORD = 40

_SYNONYMS = Path(__file__).parent / "synonyms.toml"
_WORD = re.compile(r"[a-z0-9]+", re.ASCII)


class Synonyms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """synonyms.toml."""

    spelling: Mapping[str, str]
    groups: Mapping[str, Sequence[str]]
    fillers: Mapping[str, Sequence[str]]


class Question(msgspec.Struct, frozen=True):
    """What somebody looks for. `words` without the fillers; `phrases` are the whole question, with and without them."""

    words: Sequence[str]
    phrases: Sequence[str]


@cache
def synonyms() -> Synonyms:
    return msgspec.convert(tomllib.loads(_SYNONYMS.read_text("utf-8")), Synonyms)


def words_of(text: str) -> list[str]:
    """Lower-case words in their one spelling. `e-KTP` is `e`, `ktp`; accents and punctuation go."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    spelling = synonyms().spelling
    return [spelling.get(word, word) for word in _WORD.findall(plain)]


def question(text: str) -> Question:
    """Fillers are left out, unless the question is made of nothing else."""
    asked = [word[:LONGEST_WORD] for word in words_of(text)][:MOST_WORDS]
    telling = [word for word in asked if word not in _fillers()] or asked
    phrases = dict.fromkeys((" ".join(asked), " ".join(telling)))
    return Question(words=list(dict.fromkeys(telling)), phrases=[phrase for phrase in phrases if phrase])


def phrase_of(text: str) -> str:
    """A title or synonym as a question would say it."""
    return " ".join(words_of(text))


def also_called(phrases: Iterable[str]) -> list[str]:
    """Everything that stands in a group of synonyms with a phrase that one of `phrases` holds."""
    said = [f" {phrase} " for phrase in phrases]
    return [
        name for group in _groups() if any(f" {name} " in phrase for name in group for phrase in said) for name in group
    ]


@cache
def _groups() -> Sequence[Sequence[str]]:
    return [[phrase_of(name) for name in group] for group in synonyms().groups.values()]


@cache
def _fillers() -> frozenset[str]:
    return frozenset(word for words in synonyms().fillers.values() for word in words)

"""Texts shown to people, in Indonesian and English, from the texts.toml that stands beside the code that uses them."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from app.settings import ROOT

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = ("id", "en")


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages. `{name}` marks what is filled in. `status` is the HTTP status of an `error.` code."""

    id: str
    en: str
    status: int | None = None

    def into(self, language: Language, params: Mapping[str, object] | None = None) -> str:
        template = self.en if language == "en" else self.id
        return template.format_map(_Forgiving(params)) if params else template


class _Forgiving(dict[str, object]):
    """A parameter nobody gave stays visible as {name}: a text must never turn an answer into a 500."""

    def __init__(self, params: Mapping[str, object]) -> None:
        super().__init__(params)

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


_catalogue: dict[str, Text] = {}


def load_texts(*roots: Path) -> None:
    """Read every texts.toml below the given folders. The key of a text is unique over all of them.

    Raises ValueError where two files give one key different texts.
    """
    for root in roots:
        for path in sorted(root.rglob("texts.toml")):
            for key, value in tomllib.loads(path.read_text("utf-8")).items():
                text = msgspec.convert(value, Text)
                if _catalogue.setdefault(key, text) != text:
                    raise ValueError(f"{path}: text {key!r} stands elsewhere with other words")


def text_roots() -> tuple[Path, ...]:
    return ROOT / "app", ROOT / "services", ROOT / "integrations"


@lru_cache(maxsize=1)
def error_statuses() -> Mapping[str, int]:
    """Every stable error code of the product with its HTTP status, by code."""
    load_texts(*text_roots())
    return {
        key.removeprefix("error."): found.status
        for key, found in sorted(_catalogue.items())
        if key.startswith("error.") and found.status is not None
    }


def text_keys(prefix: str) -> list[str]:
    """The keys that begin with `prefix`, sorted."""
    return sorted(key for key in _catalogue if key.startswith(prefix))


def text(key: str, language: Language, params: Mapping[str, object] | None = None) -> str:
    """The text of `key`; the key itself where there is none, which tests/app/test_texts.py forbids."""
    found = _catalogue.get(key)
    return found.into(language, params) if found else key


def has_text(key: str) -> bool:
    return key in _catalogue


def language_of(accept_language: str | None) -> Language:
    """The first of our languages in an Accept-Language header by its weights (RFC 9110, 12.5.4); Indonesian else."""
    best: tuple[float, Language] = (0.0, "id")
    for part in (accept_language or "")[:200].split(","):
        tag, _, weight = part.replace(" ", "").partition(";q=")
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            try:
                quality = float(weight) if weight else 1.0
            except ValueError:
                continue
            if quality > best[0]:
                best = (quality, "en" if primary == "en" else "id")
    return best[1]

"""Words for people: every code that is raised has its text, whole in both languages, and none stands in Python."""

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import errors
from app.settings import ROOT
from app.texts import LANGUAGES, error_statuses, has_text, load_texts, text_keys, text_roots
from tests.harness.source import PRODUCT, Source, nothing, sources

pytestmark = pytest.mark.tree

REFUSALS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.LoketError)
}
TEXT_FILES = sorted(path for folder in PRODUCT for path in (ROOT / folder).rglob("texts.toml"))


@pytest.fixture(autouse=True, scope="module")
def loaded_texts() -> None:
    load_texts(*text_roots())


def test_there_are_texts() -> None:
    assert TEXT_FILES


@pytest.mark.parametrize("path", TEXT_FILES, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_texts_are_whole(path: Path) -> None:
    for key, words in tomllib.loads(path.read_text("utf-8")).items():
        words.pop("status", None)
        assert set(words) == set(LANGUAGES), key
        assert all(word.strip() for word in words.values()), key
        filled_in = {frozenset(placeholders(word, language)) for language, word in words.items()}
        assert len(filled_in) == 1, f"{key} fills in other things"


def test_every_refusal_has_a_text() -> None:
    nothing(f"{place} raises {code}" for place, code in raised_codes() if not has_text(f"error.{code}"))
    assert not [kind.__name__ for kind in REFUSALS.values() if not has_text(f"error.{kind.code}")]


def test_every_refusal_has_its_status() -> None:
    """What the catalogue says of a code is what raising it answers."""
    statuses = error_statuses()
    nothing(
        f"{place} raises {code} as {REFUSALS[kind].status}, texts.toml says {statuses.get(code)}"
        for place, kind, code in raised()
        if kind != "LoketError" and statuses.get(code) != REFUSALS[kind].status
    )
    assert not [kind.__name__ for kind in REFUSALS.values() if statuses.get(kind.code) != kind.status]
    assert not [key for key in text_keys("error.") if key.count(".") == 1 and key.split(".")[1] not in statuses]


def test_every_field_fault_has_a_text() -> None:
    nothing(f"{place}: {code}" for place, code in field_codes() if not has_text(f"field.{code}"))


def test_codes_are_snake_case() -> None:
    codes = {code for _, code in (*raised_codes(), *field_codes())}
    assert codes
    assert not [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", code)]


def raised_codes() -> Iterator[tuple[str, str]]:
    return ((place, code) for place, _, code in raised())


def raised() -> Iterator[tuple[str, str, str]]:
    """Place, class and code of our refusals given a code by name, anywhere in the product."""
    for source in sources(*PRODUCT):
        for call in calls(source):
            if called(call) in REFUSALS and call.args and isinstance(call.args[0], ast.Constant):
                yield source.place, called(call), str(call.args[0].value)


def field_codes() -> Iterator[tuple[str, str]]:
    for source in sources(*PRODUCT):
        for call in calls(source):
            if called(call) == "FieldError" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
                yield source.place, str(call.args[1].value)


def calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def placeholders(text: str, language: str) -> list[str]:
    """What a text fills in; `label_id` and `label_en` are one thing said in two languages."""
    return [name.removesuffix(f"_{language}") for _, name, _, _ in string.Formatter().parse(text) if name]

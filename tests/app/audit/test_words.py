"""Whatever stands in the audit about a citizen, they read it in words: every key that code writes has some."""

import ast
from collections.abc import Iterator

import pytest

from app.texts import LANGUAGES, has_text, load_texts, text, text_keys, text_roots
from tests.harness.audit_words import WORDS, wordless
from tests.harness.source import PRODUCT, calls_of

# Where an entry says it, and what the words for it begin with.
KEYWORDS = {"action": "action", "purpose": "purpose", "legal_basis": "basis", "fields": "field"}


@pytest.fixture(autouse=True, scope="module")
def loaded_texts() -> None:
    load_texts(*text_roots())


def is_about_nobody(call: ast.Call) -> bool:
    subjects = [keyword.value for keyword in call.keywords if keyword.arg == "subject_id"]
    return any(isinstance(subject, ast.Constant) for subject in subjects)


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be. What code puts together, or reads from a row, tests/harness/audit_words.py
    sees in the rows of every test's database."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*literals(node.body), *literals(node.orelse))
    elif isinstance(node, ast.Tuple | ast.List):
        yield from (each for part in node.elts for each in literals(part))


def written_keys() -> Iterator[str]:
    """What entries about somebody say in so many letters."""
    for call in calls_of("AuditEntry", *PRODUCT):
        for keyword in call.keywords if not is_about_nobody(call) else ():
            if keyword.arg in KEYWORDS:
                yield from (f"audit.{KEYWORDS[keyword.arg]}.{found}" for found in literals(keyword.value))


def test_there_are_keys() -> None:
    assert {"audit.action.citizen.read", "audit.purpose.identity-proof", "audit.field.nik"} <= set(written_keys())


@pytest.mark.parametrize("key", sorted(set(written_keys())))
def test_every_key_in_the_code_has_words(key: str) -> None:
    assert has_text(key), f"{key}: say it in the texts.toml of the folder, in both languages"


@pytest.mark.parametrize("key", sorted({f"audit.{what}" for what in KEYWORDS.values()}))
def test_no_words_are_empty_or_the_same_by_mistake(key: str) -> None:
    found = text_keys(f"{key}.")
    assert found
    assert all(text(each, language).strip() for each in found for language in LANGUAGES)


def test_a_row_without_words_shows() -> None:
    row = {"action": "case.read", "purpose": "login", "legal_basis": "consent", "fields": ["nik", "shoe_size"]}
    assert wordless(row, set()) == ["audit.field.shoe_size"]
    assert wordless({**row, "action": "case.burned", "fields": []}, set()) == ["audit.action.case.burned"]
    assert wordless({**row, "purpose": "outdoor-advertising", "fields": []}, {"outdoor-advertising"}) == []
    assert set(WORDS) == set(KEYWORDS.values())

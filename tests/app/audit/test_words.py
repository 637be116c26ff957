"""Whatever stands in the audit is read in words, by the citizen it is about and by auditors: every key that code writes
has some."""

import ast
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from app.deliveries.backends import Hold
from app.texts import LANGUAGES, Language, has_text, load_texts, text, text_keys, text_roots
from tests.harness.audit_words import WORDS, wordless
from tests.harness.source import PRODUCT, calls_of

# Where an entry says it, and what the words for it begin with.
KEYWORDS = {
    "action": "action",
    "object_kind": "object",
    "purpose": "purpose",
    "legal_basis": "basis",
    "fields": "field",
}


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
    """What entries say in so many letters; where they are about nobody, the purpose is what an officer wrote."""
    for call in calls_of("AuditEntry", *PRODUCT):
        for keyword in call.keywords:
            if keyword.arg in KEYWORDS and not (keyword.arg == "purpose" and is_about_nobody(call)):
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
    row["object_kind"] = "case"
    assert wordless(row, set()) == ["audit.field.shoe_size"]
    assert wordless({**row, "object_kind": "ship", "fields": []}, set()) == ["audit.object.ship"]
    assert wordless({**row, "action": "case.burned", "fields": []}, set()) == ["audit.action.case.burned"]
    assert wordless({**row, "purpose": "outdoor-advertising", "fields": []}, {"outdoor-advertising"}) == []
    assert set(WORDS) == set(KEYWORDS.values())


def called_with(name: str, place: int) -> Iterator[str]:
    """What is said at `place` wherever a function of this name is called."""
    for call in calls_of(name, *PRODUCT):
        if len(call.args) > place:
            yield from literals(call.args[place])


def test_what_officers_do_has_words() -> None:
    """At a terminal as well, where no request of a test comes by."""
    done = {f"officer.{each}" for each in called_with("note", 2) if each.isidentifier()}
    done |= {each for name in ("_audit", "_record") for each in called_with(name, 2)}
    assert {"officer.locked", "officer.passkey_copied", "client.removed", "maintenance.ended"} <= done
    assert [each for each in sorted(done) if not has_text(f"audit.action.{each}")] == []
    assert all(has_text(f"audit.action.breaker.{state}") for state in get_args(Hold))


@pytest.mark.parametrize("language", LANGUAGES)
def test_auditors_are_not_spoken_to_as_the_citizen(language: Language) -> None:
    to_a_citizen = re.compile(r"\b(Anda|you|your|yourself)\b", re.IGNORECASE)
    for kind in WORDS:
        for key in text_keys(f"audit.{kind}."):
            if to_a_citizen.search(text(key, language)):
                assert has_text(f"auditing.{key.removeprefix('audit.')}"), key
    said = [key for kind in WORDS for key in text_keys(f"auditing.{kind}.")]
    assert said
    assert [key for key in said if to_a_citizen.search(text(key, language))] == []

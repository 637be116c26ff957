"""Texts: the reader's language, what is filled in, and that every key which code makes up has its words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from app.cases.by_hand import NOT_TAKEN
from app.cases.models import DELIVERY_STATES
from app.cases.port import Status
from app.cases.schemas import ActionCode
from app.problems import _CODES as PAYLOAD_CODES
from app.texts import LANGUAGES, Language, Text, has_text, language_of, load_texts, text, text_keys, text_roots
from tests.harness.source import PRODUCT, calls_of

# Told in the agency's own words.
OWN_WORDS = {"step"}
# Written by a statement of its own, in app/cases/delivered.py.
IN_SQL = {"delivered"}


@pytest.fixture(autouse=True, scope="module")
def loaded_texts() -> None:
    load_texts(*text_roots())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "id"),
        ("", "id"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("id", "id"),
        ("fr", "id"),
        ("*", "id"),
        ("en;q=0.5, id;q=0.9", "id"),
        ("en;q=0.9,id;q=0.5", "en"),
        ("fr, en;q=0.3", "en"),
        ("en; q=0.2, id; q=0.8", "id"),
        ("en ; q=0.9 , id ; q=0.8", "en"),
        ("en;q=0", "id"),
        ("en;q=nonsense, id", "id"),
        ("en;q=nan", "id"),
        ("english", "id"),
        ("x" * 100_000, "id"),
    ],
)
def test_the_readers_language(header: str | None, language: Language) -> None:
    assert language_of(header) == language


def test_what_is_filled_in() -> None:
    words = Text("Kurang dari {limit}.", "Less than {limit}.")
    assert words.into("en", {"limit": 3}) == "Less than 3."
    assert words.into("id", {"other": 3}) == "Kurang dari {limit}."
    assert words.into("id") == "Kurang dari {limit}."
    assert words.into("en", {"limit": "{limit} {0.__class__}"}) == "Less than {limit} {0.__class__}."


def test_a_text_nobody_wrote_is_its_key_and_no_error() -> None:
    assert text("error.nobody_wrote_this", "en") == "error.nobody_wrote_this"


def test_one_key_has_one_text(tmp_path: Path) -> None:
    for place, words in (("one", "Satu"), ("two", "Dua")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "texts.toml").write_text(f'"test.collision" = {{ id = "{words}", en = "One" }}\n')
    with pytest.raises(ValueError, match=r"test\.collision"):
        load_texts(tmp_path)


def made_up_keys() -> Iterator[str]:
    """Keys that code puts together from a word of its own and a value."""
    yield from (f"status_of_case.{status}" for status in get_args(Status))
    yield from (f"delivery.{state}" for state in DELIVERY_STATES)
    yield from (f"next_action.{code}" for code in get_args(ActionCode))
    yield from (f"field.{code}" for _, code in PAYLOAD_CODES)
    yield from (f"timeline.{kind}" for kind in timeline_kinds() - OWN_WORDS)
    # A case's new status is its event's kind as well; these two are no step of anybody's: one begins as another kind.
    yield from (f"timeline.{status}" for status in get_args(Status) if status != "draft")


def timeline_kinds() -> set[str]:
    """Every kind of event that code names."""
    lines = (call for call in calls_of("Line", *PRODUCT) if call.args)
    kinds = (found for call in lines for found in ast.walk(call.args[0]) if isinstance(found, ast.Constant))
    return {str(kind.value) for kind in kinds} | IN_SQL | set(NOT_TAKEN.values())


def timeline_keys() -> set[str]:
    load_texts(*text_roots())
    return set(text_keys("timeline."))


def test_there_are_kinds() -> None:
    assert {"submitted", "needs_citizen", "rated"} <= timeline_kinds() - IN_SQL


@pytest.mark.parametrize("key", sorted(set(made_up_keys())))
def test_every_made_up_key_has_its_words(key: str) -> None:
    assert has_text(key)
    said = {language: text(key, language) for language in LANGUAGES}
    assert all(said.values())
    assert len({frozenset(re.findall(r"\{(\w+)\}", words)) for words in said.values()}) == 1


@pytest.mark.parametrize("kind", sorted(timeline_kinds() - OWN_WORDS))
def test_a_timeline_text_fills_in_only_what_its_event_carries(kind: str) -> None:
    carried = {
        "delivered": {"reference"},
        "needs_citizen": {"question"},
        "answered": {"answer"},
        "rated": {"score", "comment"},
        "withdrawn": {"reason"},
        "rejected": {"reason"},
        "reference_corrected": {"reference"},
        "refused_by_officer": {"reason"},
        "answer_not_taken": {"reason"},
        "withdraw_not_taken": {"reason"},
    }
    for language in LANGUAGES:
        assert set(re.findall(r"\{(\w+)\}", text(f"timeline.{kind}", language))) <= carried.get(kind, set())


@pytest.mark.parametrize("key", sorted(timeline_keys()))
def test_officers_are_not_told_that_they_are_the_citizen(key: str) -> None:
    """A timeline says "you" to the citizen; who handles the case reads other words."""
    own = f"queue.{key}"
    read = own if has_text(own) else key
    said = {language: text(read, language) for language in LANGUAGES}
    assert not [words for words in said.values() if re.search(r"\b(Anda|[Yy]ours?)\b|\b[Yy]ou\b", words)]
    for language in LANGUAGES:
        fields = [set(re.findall(r"\{(\w+)\}", text(each, language))) for each in (read, key)]
        assert fields[0] == fields[1]

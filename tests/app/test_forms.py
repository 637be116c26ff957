"""The forms engine: pointers, codes, conditional fields, choices from outside, languages."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.forms import Form, FormFileError, load_forms

DOCUMENT: dict[str, Any] = {
    "$id": "urn:test",
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "name"],
    "x-texts": {"id": {"title": "Uji"}, "en": {"title": "Test"}},
    "properties": {
        "kind": {
            "type": "string",
            "enum": ["new", "renewal"],
            "x-texts": {"id": {"title": "Jenis", "help": "Pilih"}, "en": {"title": "Kind"}},
            "x-labels": {"id": {"new": "Baru"}, "en": {"new": "New"}},
        },
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "old": {"type": "string", "minLength": 3, "maxLength": 9},
        "note": {"type": "string", "minLength": 3, "maxLength": 9, "pattern": "\\S"},
        "phone": {"type": "string", "maxLength": 9, "pattern": "^[0-9]{3}$"},
        "born": {"type": "string", "format": "date"},
        "village": {"type": "string", "x-options": "villages"},
        "agreed": {"const": True},
        "width": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "a/b~c": {"type": "array", "items": {"type": "integer"}, "maxItems": 2, "uniqueItems": True},
        "list": {
            "type": "array",
            "contains": {"const": "card"},
            "x-labels": {"id": {"card": "Kartu"}, "en": {"card": "Card"}},
        },
        "proof": {
            "type": "string",
            "format": "uuid",
            "x-file": {"accept": ["application/pdf"], "max_bytes": 10},
        },
    },
    "allOf": [
        {
            "if": {"properties": {"kind": {"const": "renewal"}}, "required": ["kind"]},
            "then": {"required": ["old"]},
            "else": {"properties": {"old": False}},
        }
    ],
}
OPTIONS = {"villages": {"35.71.01.1001": "Bandar Lor (Mojoroto)"}}
FORM = Form("test", 1, DOCUMENT, OPTIONS)
RIGHT = {"kind": "new", "name": "Siti"}


def faults(**changes: object) -> dict[str, str]:
    return {fault.pointer: fault.code for fault in FORM.errors(RIGHT | changes)}


def test_a_right_form_has_no_errors() -> None:
    assert FORM.errors(RIGHT) == []
    assert FORM.errors(RIGHT | {"width": 2.55, "village": "35.71.01.1001", "born": "2024-02-29"}) == []


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"kind": "x"}, "/kind", "enum"),
        ({"kind": "renewal"}, "/old", "required"),
        ({"old": "lama"}, "/old", "not_applicable"),
        ({"name": 3}, "/name", "type"),
        ({"name": "S"}, "/name", "min_length"),
        ({"name": ""}, "/name", "required"),
        ({"name": "   "}, "/name", "required"),
        ({"name": "\u200b\u2060\u3164"}, "/name", "required"),
        ({"name": "\u202e   \u202c" * 9}, "/name", "max_length"),
        ({"kind": "renewal", "old": "\t \xa0"}, "/old", "required"),
        ({"old": "   "}, "/old", "not_applicable"),
        ({"note": "\u200b" * 3}, "/note", "unsaid"),
        ({"note": "   "}, "/note", "unsaid"),
        ({"phone": "   "}, "/phone", "pattern"),
        ({"name": "Siti Aminah"}, "/name", "max_length"),
        ({"name": "a\x00b"}, "/name", "control_character"),
        ({"name": "a\ud800"}, "/name", "control_character"),
        ({"born": "2026-02-30"}, "/born", "date_invalid"),
        ({"born": "2026-W01-1"}, "/born", "date_invalid"),
        ({"born": "0000-01-01"}, "/born", "date_invalid"),
        ({"born": "\u0662026-01-01"}, "/born", "date_invalid"),
        ({"village": "35.71.01.1002"}, "/village", "enum"),
        ({"agreed": False}, "/agreed", "not_accepted"),
        ({"width": 0}, "/width", "exclusive_minimum"),
        ({"width": 1.005}, "/width", "multiple_of"),
        ({"a/b~c": [1, "x"]}, "/a~1b~0c/1", "type"),
        ({"a/b~c": [1, 2, 3]}, "/a~1b~0c", "max_items"),
        ({"a/b~c": [1, 1]}, "/a~1b~0c", "not_unique"),
        ({"list": []}, "/list", "choice_missing"),
        ({"proof": "mine"}, "/proof", "attachment_id_invalid"),
        ({"not/known": 1}, "/not~1known", "unknown_field"),
    ],
)
def test_each_fault_has_its_pointer_and_code(changes: dict[str, object], pointer: str, code: str) -> None:
    assert faults(**changes) == {pointer: code}


def test_a_field_not_asked_for_has_that_fault_only() -> None:
    assert faults(old="x") == {"/old": "not_applicable"}


def test_a_field_of_blanks_has_one_fault_and_a_draft_none() -> None:
    assert faults(kind="renewal", old=" ", name="") == {"/old": "required", "/name": "required"}
    assert len(FORM.errors({"kind": "new", "name": " "})) == 1
    assert FORM.errors({"kind": "new", "name": " "}, forgiven={"required"}) == []
    assert [fault.code for fault in FORM.errors({"kind": "new", "name": " " * 9}, forgiven={"required"})] == [
        "max_length"
    ]


def test_what_is_not_an_object_is_refused() -> None:
    assert [(fault.pointer, fault.code) for fault in FORM.errors([1], at="/form")] == [("/form", "type")]


def test_limits_and_labels_go_into_the_texts() -> None:
    assert FORM.errors(RIGHT | {"name": "x"}, at="/form")[0].params == {"limit": 2}
    missing = FORM.errors(RIGHT | {"list": []})[0].params
    assert missing == {"choice": "card", "label_id": "Kartu", "label_en": "Card"}


def test_at_most_fifty_errors() -> None:
    assert len(FORM.errors({f"x{number}": 1 for number in range(1000)})) == 50


def test_schema_in_one_language() -> None:
    schema = FORM.schema_for("id")
    kind = schema["properties"]["kind"]
    assert (schema["title"], kind["title"], kind["description"], kind["x-labels"]) == (
        "Uji",
        "Jenis",
        "Pilih",
        {"new": "Baru"},
    )
    assert "x-texts" not in json.dumps(schema)
    assert "description" not in FORM.schema_for("en")["properties"]["kind"]


def test_choices_from_outside_stand_in_the_schema() -> None:
    village = FORM.schema_for("en")["properties"]["village"]
    assert (village["enum"], village["x-labels"]) == (["35.71.01.1001"], OPTIONS["villages"])


def test_an_unknown_source_of_choices_stops_the_start() -> None:
    with pytest.raises(FormFileError, match="villages"):
        Form("test", 1, DOCUMENT, {})


def test_file_fields_of_a_filled_in_form() -> None:
    attachment = UUID(int=7)
    [field] = FORM.file_fields(RIGHT | {"proof": str(attachment)})
    assert (field.name, field.attachment_id, field.accept, field.max_bytes) == (
        "proof",
        attachment,
        ("application/pdf",),
        10,
    )
    assert FORM.file_fields(RIGHT) == []


def test_versions_stay_readable(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        (tmp_path / f"test.{version}.json").write_text(json.dumps(DOCUMENT))
    assert sorted(load_forms(tmp_path)["test"]) == [1, 2, 10]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.json", "{}"),
        ("test.0.json", "{}"),
        ("Test.1.json", "{}"),
        ("test.1.json", "{"),
        ("a.1.json", '{"type": 3}'),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(FormFileError, match=name.split(".", maxsplit=1)[0]):
        load_forms(tmp_path)

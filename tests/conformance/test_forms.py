"""Every form in the tree: sound as JSON Schema, bounded, and complete for a frontend in both languages."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.catalog.city import load_city
from app.forms import Form
from app.settings import ROOT
from app.texts import LANGUAGES

pytestmark = pytest.mark.tree

PATHS = sorted((ROOT / "services").glob("*/forms/*.json"))
Schema = dict[str, Any]


@pytest.fixture(params=PATHS, ids=lambda path: "/".join(path.parts[-3:]))
def document(request: pytest.FixtureRequest) -> Schema:
    path: Path = request.param
    schema: Schema = json.loads(path.read_bytes())
    return schema


def fields(document: Schema) -> dict[str, Schema]:
    properties: dict[str, Schema] = document["properties"]
    return properties


def nodes(node: object, at: str = "") -> list[tuple[str, Schema]]:
    """Every object of a schema with its place, conditions included."""
    found: list[tuple[str, Schema]] = []
    if isinstance(node, dict):
        found.append((at, node))
        for key, value in node.items():
            found += nodes(value, f"{at}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += nodes(value, f"{at}/{index}")
    return found


def test_there_are_forms() -> None:
    assert PATHS


def test_is_json_schema_2020_12(document: Schema) -> None:
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(document)


def test_compiles() -> None:
    for path in PATHS:
        form = Form.load(path)
        assert form.errors({}), f"{path.name} takes an empty form"


def test_refuses_what_it_does_not_know(document: Schema) -> None:
    objects = [at for at, node in nodes(document) if node.get("type") == "object" and not node.get("$schema")]
    open_ones = [at for at in objects if document_at(document, at).get("additionalProperties") is not False]
    assert document["additionalProperties"] is False
    assert not open_ones
    assert not [at for at, node in nodes(document) if "$ref" in node], "a form stands in one file"


def document_at(document: Schema, at: str) -> Schema:
    node: Any = document
    for step in at.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    found: Schema = node
    return found


def test_strings_lists_and_numbers_are_bounded(document: Schema) -> None:
    loose = []
    for at, node in nodes(fields(document)):
        kind = node.get("type")
        if kind == "string" and "maxLength" not in node:
            loose.append(at)
        if kind == "array" and not ("maxItems" in node and "items" in node):
            loose.append(at)
        if kind in ("number", "integer") and not ("maximum" in node and {"minimum", "exclusiveMinimum"} & node.keys()):
            loose.append(at)
    assert not loose


def test_every_field_has_texts_in_both_languages(document: Schema) -> None:
    for name, spec in {"": document, **fields(document)}.items():
        texts = spec["x-texts"]
        assert set(texts) == set(LANGUAGES), name
        assert {frozenset(words) for words in texts.values()} == {frozenset(texts["id"])}, (
            f"{name}: other parts per language"
        )
        for words in texts.values():
            assert set(words) <= {"title", "help", "placeholder"}, name
            assert all(word.strip() for word in words.values()), name
            assert "title" in words, name


def test_every_choice_has_a_label_in_both_languages(document: Schema) -> None:
    for name, spec in fields(document).items():
        choices = spec.get("enum") or spec.get("items", {}).get("enum")
        if choices:
            assert {language: sorted(spec["x-labels"][language]) for language in LANGUAGES} == dict.fromkeys(
                LANGUAGES, sorted(choices)
            ), name


def test_order_and_groups(document: Schema) -> None:
    groups = [group["key"] for group in document["x-groups"]]
    assert len(set(groups)) == len(groups)
    assert all(set(group["x-texts"]) == set(LANGUAGES) for group in document["x-groups"])
    orders = [spec["x-order"] for spec in fields(document).values()]
    assert orders == sorted(set(orders)), "x-order rises field by field"
    used = [spec["x-group"] for spec in fields(document).values()]
    assert sorted(set(used), key=used.index) == groups, "groups follow each other as their fields do"
    assert used == sorted(used, key=groups.index), "a group's fields stand together"


def test_file_fields_are_declared(document: Schema) -> None:
    for name, spec in fields(document).items():
        assert ("x-file" in spec) == (spec.get("format") == "uuid"), name
        if "x-file" in spec:
            assert spec["type"] == "string", name
            assert set(spec["x-file"]["accept"]) <= {"application/pdf", "image/jpeg", "image/png"}, name
            assert spec["x-file"]["accept"], name
            assert 0 < spec["x-file"]["max_bytes"] <= 10 * 1024 * 1024, name


def test_what_is_shown_on_a_condition_is_refused_without_it(document: Schema) -> None:
    rules = [rule for rule in document.get("allOf", []) if "else" in rule]
    for name, spec in fields(document).items():
        refused_by = [rule for rule in rules if rule["else"]["properties"].get(name) is False]
        when = spec.get("x-show-when")
        if when is None:
            assert not refused_by, name
            continue
        assert name not in document["required"], name
        [rule] = refused_by
        assert rule["if"] == {
            "properties": {when["field"]: {"enum": when["in"]}},
            "required": [when["field"]],
        }, name
        assert set(when["in"]) <= set(fields(document)[when["field"]]["enum"]), name


def test_conditions_name_fields_and_choices_that_exist(document: Schema) -> None:
    known = fields(document)
    for _, node in nodes(document.get("allOf", [])):
        assert set(node.get("properties", {})) <= set(known)
        assert set(node.get("required", [])) <= set(known)
    for rule in document.get("allOf", []):
        for field, constraint in (
            *rule.get("properties", {}).items(),
            *rule.get("then", {}).get("properties", {}).items(),
        ):
            parts = constraint.get("allOf", [constraint])
            wanted = {part["contains"]["const"] for part in parts if "contains" in part}
            assert wanted <= set(known[field]["items"]["enum"]), field


def test_shows_an_example_that_fits() -> None:
    """Frontends and the OpenAPI document show it; choices that a city gives are put in for each city."""
    options = load_city("kediri").options()
    for path in PATHS:
        form = Form.load(path, options)
        assert form.example, path.name
        assert not form.errors(form.example), path.name


def test_only_known_extension_keywords(document: Schema) -> None:
    known = {"x-texts", "x-labels", "x-groups", "x-group", "x-order", "x-widget", "x-unit", "x-options", "x-file"}
    used = {key for _, node in nodes(document) for key in node if key.startswith("x-")}
    assert used <= known | {"x-show-when", "x-consent"}

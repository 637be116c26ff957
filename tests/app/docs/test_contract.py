"""The OpenAPI document: valid, complete, and true to what the handlers take and give."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.texts import error_statuses
from tests.harness.product import Api

Document = dict[str, Any]


@pytest.fixture(scope="module")
async def document(api: Api) -> Document:
    async with api.client() as client:
        told: Document = (await client.get("/openapi.json")).json()
    return told


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield operation["operationId"], operation


def resolved(document: Document, node: Document) -> Document:
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def test_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_operation_is_named_told_and_tagged(document: Document) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert operation["summary"], name
        assert set(operation["tags"]) <= known, name
        assert operation["security"] in ([], [{"bearer": []}]), name
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == known


def test_every_parameter_and_field_taken_is_told(document: Document) -> None:
    for name, operation in operations(document):
        for parameter in operation["parameters"]:
            told = resolved(document, parameter)
            assert told["description"], (name, told["name"])
            assert "null" not in str(told["schema"]), (name, told["name"])


def test_every_answer_has_its_meaning_body_and_headers(document: Document) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"], (name, status)
            assert {"X-Request-ID", "Cache-Control"} <= answer["headers"].keys(), (name, status)
            assert ("content" in answer) == (status not in ("204", "303", "304")), (name, status)
            problem = answer.get("content", {}).get("application/problem+json")
            if int(status) >= 400 and name != "read_readiness":
                assert problem, (name, status)
            if problem and status in ("429", "503"):
                assert "Retry-After" in answer["headers"], (name, status)
            if problem and status == "401":
                assert "WWW-Authenticate" in answer["headers"], name


def test_every_problem_shows_its_real_codes(document: Document) -> None:
    statuses = error_statuses()
    shown = set()
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            problem = answer.get("content", {}).get("application/problem+json")
            if problem is None:
                continue
            # A path parameter of the wrong form is no path of ours; for these nothing else can be wrong.
            codes = set(problem.get("examples", ()))
            assert codes or status == "400", (name, status)
            assert {statuses[code] for code in codes} <= {int(status)}, (name, status)
            shown |= codes
    # What no operation can answer: another method or host, and what the terminal and officers' pages are told.
    unshown = {"method_not_allowed", "host_not_allowed", "conflict", "unavailable"}
    # What is told of one case of many.
    unshown |= {"case_ended"}
    unshown |= {"form_foreign", "form_address", "form_not_sent", "cookie_missing", "invitation_invalid"}
    assert set(statuses) - shown == unshown


def test_every_example_fits_its_schema(document: Document) -> None:
    checks: dict[str, jsonschema_rs.Validator] = {}
    for name, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (each for body in bodies for each in body.get("content", {}).values()):
            # Most are the same few; making one goes through the whole document.
            schema = json.dumps(content["schema"])
            if schema not in checks:
                whole = {**content["schema"], "components": document["components"]}
                checks[schema] = jsonschema_rs.validator_for(whole, validate_formats=True)
            for key, example in content.get("examples", {}).items():
                checks[schema].validate(resolved(document, example)["value"])
                assert key, name


def test_every_json_body_has_an_example_and_refuses_what_it_does_not_know(document: Document) -> None:
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            assert content["examples"], name
            for choice in content["schema"].get("oneOf", [content["schema"]]):
                assert resolved(document, choice)["additionalProperties"] is False, name


def test_links_lead_to_operations_and_their_parameters(document: Document) -> None:
    known = dict(operations(document))
    links = [
        link
        for _, operation in operations(document)
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert {"read_case", "submit_case", "withdraw_case", "read_service"} <= {link["operationId"] for link in links}
    for link in links:
        taken = {resolved(document, parameter)["name"] for parameter in known[link["operationId"]]["parameters"]}
        assert link.keys() <= {"operationId", "description", "parameters"}, link
        assert link["parameters"].keys() <= taken, link


def test_no_schema_is_named_by_where_it_lives(document: Document) -> None:
    assert [name for name in document["components"]["schemas"] if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []

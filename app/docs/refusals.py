"""Problems an operation can answer with by what it takes: a body, parameters, a token, an Idempotency-Key."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from app.login.guards import ACTING_FOR
from app.problems import PROBLEM_JSON, example_problem
from app.texts import error_statuses

Operation = dict[str, Any]

_ALWAYS = ("not_acceptable", "too_many_requests", "internal_error", "database_unavailable", "overloaded")
_BEARER = ("token_missing", "token_invalid", "token_expired", "session_revoked")
_ACTING = ("delegation_invalid", "assurance_level_too_low")
_JSON = (
    "json_malformed",
    "json_too_deep",
    "text_unstorable",
    "media_type_unsupported",
    "body_too_large",
    "validation_failed",
)
_MULTIPART = ("bad_request", "text_unstorable", "media_type_unsupported", "body_too_large", "validation_failed")
_KEYED = ("idempotency_key_invalid", "idempotency_key_in_use", "idempotency_key_reused")
_BY_PARAMETER = {
    "cursor": ("cursor_invalid",),
    "Idempotency-Key": _KEYED,
    "If-Match": ("if_match_missing", "etag_stale"),
}


def add_refusals(operation: Operation) -> None:
    """Add an example for each such code to the answer of its status; the answer itself where it is missing."""
    answers = operation["responses"]
    statuses = error_statuses()
    for code in _codes(operation):
        answer = answers.setdefault(str(statuses[code]), _answer(statuses[code]))
        content = answer.get("content", {}).get(PROBLEM_JSON)
        if content is not None:
            content.setdefault("examples", {})[code] = None
    operation["responses"] = dict(sorted(answers.items()))
    for answer in answers.values():
        content = answer.get("content", {}).get(PROBLEM_JSON, {})
        if "examples" in content:
            content["examples"] = {code: _reference(code) for code in sorted(content["examples"])}


def shared_examples() -> dict[str, Any]:
    """One example for every stable code, by code."""
    return {code: {"value": msgspec.to_builtins(example_problem(code))} for code in error_statuses()}


def _codes(operation: Operation) -> Iterator[str]:
    yield from _ALWAYS
    if operation["security"]:
        yield from _BEARER
    if {"$ref": f"#/components/parameters/{ACTING_FOR}"} in operation["parameters"]:
        yield from _ACTING
    else:
        yield "acting_not_allowed"
    parameters = [parameter for parameter in operation["parameters"] if "in" in parameter]
    # A path parameter of the wrong form is a path that does not exist.
    if any(parameter["in"] == "query" for parameter in parameters):
        yield "parameter_invalid"
    for parameter in parameters:
        yield from _BY_PARAMETER.get(parameter["name"], ())
        if parameter["name"] == "Idempotency-Key" and parameter["required"]:
            yield "idempotency_key_missing"
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        yield from _JSON
    elif content:
        yield from _MULTIPART


def _answer(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM_JSON: {"schema": schema}}}


def _reference(code: str) -> dict[str, str]:
    return {"$ref": f"#/components/examples/{code}"}

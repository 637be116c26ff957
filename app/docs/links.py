"""OpenAPI links: from an answer that gives something an id, to every operation that takes the id in its path.

By parameters alone: OpenAPI Generator refuses a document where a link gives more of a body than a string.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Operation = dict[str, Any]

# Which path parameter a schema gives, and where in the answer's body.
_GIVES: Mapping[str, tuple[str, str]] = {
    "CaseView": ("case_id", "/id"),
    "CasePage": ("case_id", "/items/0/id"),
    "AttachmentView": ("attachment_id", "/id"),
    "InboxPage": ("message_id", "/items/0/id"),
    "Devices": ("session_id", "/items/0/id"),
    "ServicePage": ("slug", "/items/0/slug"),
    "RegistrationStarted": ("registration_id", "/registration_id"),
    "ChallengeAnswer": ("challenge_id", "/challenge_id"),
}


def add_links(operations: Iterable[Operation]) -> None:
    """Add `links` to the answers of operations that do not have the id in their own path: those begin a matter."""
    known = list(operations)
    for operation in known:
        for answer in operation["responses"].values():
            parameter, pointer = _GIVES.get(_schema_name(answer), ("", ""))
            if parameter and parameter not in _path_parameters(operation):
                answer["links"] = {
                    target["operationId"]: _link(target, parameter, pointer, answer)
                    for target in known
                    if parameter in _path_parameters(target)
                }


def _link(target: Operation, parameter: str, pointer: str, answer: dict[str, Any]) -> dict[str, Any]:
    given = {parameter: f"$response.body#{pointer}"}
    if "ETag" in answer["headers"] and "If-Match" in _names(target, "header"):
        given["If-Match"] = "$response.header.ETag"
    return {"operationId": target["operationId"], "description": target["summary"], "parameters": given}


def _schema_name(answer: dict[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _path_parameters(operation: Operation) -> set[str]:
    return _names(operation, "path")


def _names(operation: Operation, where: str) -> set[str]:
    return {parameter["name"] for parameter in operation["parameters"] if parameter.get("in") == where}

"""Headers that answers carry whatever their route; a route's own (ETag, Location ...) its handler names."""

from typing import Any

from app.problems import PROBLEM_JSON

Operation = dict[str, Any]

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Name this when you ask for help.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "Cache-Control": {
        "description": "`no-store` on everything that is personal.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of the quota (`r`), and seconds until it is whole again (`t`).",
        "schema": {"type": "string", "examples": ['"default";r=599;t=60']},
    },
    "RateLimit-Policy": {
        "description": "The quota (`q`) and its window in seconds (`w`).",
        "schema": {"type": "string", "examples": ['"default";q=600;w=60']},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-Soon": {
        "description": "Seconds to wait, where waiting helps.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to say who you are (RFC 6750).",
        "required": True,
        "schema": {"type": "string", "examples": ['Bearer error="invalid_token"']},
    },
    "Problem-Language": {
        "description": "The language of `title` and `detail`: `id` or `en`.",
        "schema": {"type": "string", "enum": ["id", "en"]},
    },
}
_ALWAYS = ("X-Request-ID", "Cache-Control", "RateLimit", "RateLimit-Policy")
_BY_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}
# Conflicts that pass by themselves.
_PASSING = {"case_in_progress", "idempotency_key_in_use"}


def add_headers(operation: Operation) -> None:
    """To every answer those it carries; to every success those that the operation's main answer names."""
    answers = operation["responses"]
    own: dict[str, Any] = next((answer["headers"] for answer in answers.values() if answer.get("headers")), {})
    for status, answer in answers.items():
        headers = {name: _reference(name) for name in _ALWAYS}
        if PROBLEM_JSON in answer.get("content", ()):
            headers["Content-Language"] = _reference("Problem-Language")
            headers |= {name: _reference(name) for name in _BY_STATUS.get(status, ())}
            if status == "409" and not _PASSING.isdisjoint(answer["content"][PROBLEM_JSON].get("examples", ())):
                headers["Retry-After"] = _reference("Retry-Soon")
        else:
            headers |= {name: _own(header) for name, header in own.items()}
        answer["headers"] = headers


def _own(header: dict[str, Any]) -> dict[str, Any]:
    told = {key: header[key] for key in ("description", "required") if header.get(key)}
    return {**told, "schema": {"type": "string"}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}

"""The OpenAPI document: Litestar's, with who may call what, and the headers every answer carries."""

from typing import Any

from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, SecurityScheme, Server, Tag

CONFIG_PATH = "/docs/schema"

_DESCRIPTION = """
One window for a city's public services: log in once, ask once, and see where every matter stands.

Texts follow `Accept-Language` (`id` by default, or `en`). Errors are problem documents (RFC 9457) with a stable
`code`. POSTs that create need an `Idempotency-Key`. Lists are paged by `cursor`.
"""
_TAGS = {
    "catalogue": "Agencies and their services, with the parts of the service standard",
    "login": "Accounts, one-time codes, tokens and devices",
    "cases": "A citizen's dealings with a service, from draft to outcome",
    "attachments": "Files for cases",
    "inbox": "Messages to the citizen",
    "permits": "Issued licences",
    "operations": "For those who run it",
}
_HEADERS = {
    "X-Request-ID": {"description": "Name this when you ask for help.", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "What is left of the quota, and when it is whole again.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {"description": "The quota and its window.", "schema": {"type": "string"}},
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def openapi_config(issuer: str, version: str) -> OpenAPIConfig:
    """What Litestar is told; the document it makes is completed by `contract`."""
    return OpenAPIConfig(
        title="Satu Loket",
        version=version,
        description=_DESCRIPTION,
        contact=Contact(name="Diskominfo"),
        servers=[Server(url=issuer)],
        tags=[Tag(name, description=words) for name, words in _TAGS.items()],
        components=Components(
            security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
        ),
        path=CONFIG_PATH,
        render_plugins=[],
        use_handler_docstrings=True,
    )


def contract(app: Litestar) -> dict[str, Any]:
    """The whole document. Every operation says whom it is for, and which headers each answer carries."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    guarded = _guarded_operations(app)
    for path in document["paths"].values():
        for operation in path.values():
            operation["security"] = [{"bearer": []}] if operation.get("operationId") in guarded else []
            for status, answer in operation["responses"].items():
                added = {**_HEADERS, **_RETRY} if status in ("429", "503") else _HEADERS
                answer["headers"] = {**added, **answer.get("headers", {})}
    return document


def _guarded_operations(app: Litestar) -> set[str]:
    return {
        str(handler.operation_id)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.opt.get("permission") != "public"
    }

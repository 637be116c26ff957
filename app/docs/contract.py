"""The OpenAPI document: what Litestar finds in the handlers, completed by what holds for every operation."""

from collections.abc import Mapping
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, SecurityScheme, Server, Tag

from app.docs.examples import add_answer_examples, add_body_examples, add_form_examples
from app.docs.headers import HEADERS, add_headers
from app.docs.links import add_links
from app.docs.operations import PARAMETERS, add_acting, tidy
from app.docs.refusals import add_refusals, shared_examples
from app.docs.structs import complete_schemas, tell_apart
from app.manifest import service_manifests
from app.settings import ROOT

CONFIG_PATH = "/docs/schema"

_DESCRIPTION = """
One window for a city's public services: log in once, ask once, and see where every matter stands.

- **Texts** follow `Accept-Language`: Indonesian (`id`) by default, or English (`en`).
- **Errors** are problem documents (RFC 9457) with a stable `code`; [the whole list](/docs/errors).
- **POSTs that create** need an `Idempotency-Key`: sent again with the same key, a request is not carried out twice.
- **Lists** are paged: `next_cursor` of one page is `cursor` of the next; it is null on the last.
- **`X-Request-ID`** is yours if it is well-formed, and comes back with every answer. Name it when you ask for help.
- **Times** are RFC 3339 in UTC, money is whole rupiah, unknown fields in a body are refused.
"""
_TAGS = {
    "catalogue": "Agencies and their services, with the parts of the service standard",
    "login": "Accounts, one-time codes and tokens",
    "callbacks": "What agencies' systems tell unasked; it only has us ask them",
    "officers": "Officers of the agencies: their login, their accounts, and what they decide",
    "me": "My profile, consents, and the devices I am logged in on",
    "cases": "A citizen's dealings with a service, from draft to outcome",
    "home": "What a citizen sees first: open matters of every module, each as it is known by now",
    "attachments": "Files for cases",
    "inbox": "Messages to the citizen",
    "operations": "For those who run it",
}


def openapi_config(issuer: str, version: str) -> OpenAPIConfig:
    """What Litestar is told; the document it makes is completed by `contract`."""
    return OpenAPIConfig(
        title="Satu Loket",
        version=version,
        description=_DESCRIPTION,
        contact=Contact(name="Diskominfo"),
        servers=[
            # First, so that the page that tries it out stays with the host it was opened at, as its policy asks.
            Server(url="/", description="Where this document came from"),
            Server(url=issuer, description="By name"),
        ],
        tags=[Tag(name, description=words) for name, words in {**_TAGS, **_module_tags()}.items()],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="JWT", description="The `access_token` of a login."
                )
            }
        ),
        path=CONFIG_PATH,
        render_plugins=[],
        use_handler_docstrings=True,
    )


def contract(app: Litestar) -> dict[str, Any]:
    """The whole document."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    handlers = _handlers(app)
    components = document["components"]
    complete_schemas(components["schemas"], handlers.values())
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for operation in operations:
        handler = handlers[operation["operationId"]]
        is_open = handler.opt.get("permission") == "public"
        operation["security"] = [] if is_open else [{"bearer": []}]
        tidy(operation, handler)
        if "acting" in handler.opt:
            add_acting(operation)
        add_refusals(operation)
        add_headers(operation)
        add_body_examples(operation, components["schemas"])
        add_answer_examples(operation, handler.opt.get("examples", {}))
    add_form_examples(operations, app.state["catalog"])
    add_links(operations)
    tell_apart(document["paths"], components["schemas"])
    tell_apart(components["schemas"], components["schemas"])
    components["parameters"] = PARAMETERS
    components["headers"] = HEADERS
    components["examples"] = shared_examples()
    return document


def _handlers(app: Litestar) -> Mapping[str, HTTPRouteHandler]:
    return {
        str(handler.operation_id): handler
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.resolve_include_in_schema()
    }


def _module_tags() -> dict[str, str]:
    """The service modules that have routes of their own, by their titles."""
    return {
        name: manifest.title.into("en")
        for name, manifest in service_manifests().items()
        if (ROOT / "services" / name / "routes.py").exists()
    }

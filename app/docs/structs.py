"""Schemas of our Structs as msgspec holds them: their words, and that unknown fields of a body are refused."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

import msgspec
from litestar.datastructures import UploadFile
from litestar.handlers import HTTPRouteHandler

Schema = dict[str, Any]


def complete_schemas(schemas: dict[str, Schema], handlers: Iterable[HTTPRouteHandler]) -> None:
    """Add to Litestar's component schemas, which name and type every field, what they leave out."""
    kinds = {kind for handler in handlers for kind in _told(handler)}
    known = msgspec.json.schema_components(list(kinds), schema_hook=_schema_hook)[1]
    for name, schema in schemas.items():
        more = known[name]
        _complete_properties(schema["properties"], more["properties"])
        if "description" in more:
            schema["description"] = " ".join(more["description"].split())
        if more.get("additionalProperties") is False:
            schema["additionalProperties"] = False
        # A body that may be left out: Litestar puts the handler's default here, as the Struct it is.
        schema.pop("default", None)


def _complete_properties(properties: dict[str, Schema], known: dict[str, Schema]) -> None:
    for name, told in properties.items():
        if not told:
            # Stored bytes shown as they are: only their `extra_json_schema` says what they hold.
            told.update(known[name])
        more = known[name]
        told.update({limit: more[limit] for limit in ("minProperties", "maxProperties") if limit in more})
        if "type" in told.get("items", {}) and "items" in more:
            # What the parts of a list are held to.
            told["items"] = {**more["items"], **told["items"]}
        if "null" in told.get("type", ()):
            # A choice or nothing, told as every other value that may be null.
            told["oneOf"] = [{"enum": [each for each in told.pop("enum") if each is not None]}, {"type": "null"}]
            told["oneOf"][0]["type"] = next(kind for kind in told.pop("type") if kind != "null")
        only = told.get("oneOf", ())
        if len(only) == 1:
            del told["oneOf"]
            told.update(only[0])


def tell_apart(node: Any, schemas: dict[str, Schema]) -> None:
    """Say of each choice between Structs by which field they are known, so that clients need not try one by one."""
    if isinstance(node, list):
        for each in node:
            tell_apart(each, schemas)
    elif isinstance(node, dict):
        for each in node.values():
            tell_apart(each, schemas)
        names = [str(each.get("$ref", "")).rsplit("/", 1)[-1] for each in node.get("oneOf", ())]
        if len(names) > 1 and schemas.keys() >= set(names):
            field = _own_word(schemas[names[0]])
            known_by = {schemas[name]["properties"][field]["const"]: name for name in names}
            mapping = {word: f"#/components/schemas/{name}" for word, name in known_by.items()}
            node["discriminator"] = {"propertyName": field, "mapping": mapping}


def _own_word(schema: Schema) -> str:
    """The field that holds the same in each of its kind."""
    return next(str(name) for name, spec in schema["properties"].items() if "const" in spec)


def _told(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    """The Structs a handler takes and gives."""
    body = handler.parsed_data_field
    for kind in (
        body.annotation if body else None,
        handler.parsed_return_field.annotation,
        *(spec.data_container for spec in (handler.responses or {}).values()),
    ):
        for part in (kind, *get_args(kind)):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield part


def _schema_hook(kind: type) -> Schema:
    if kind is UploadFile:
        return {"type": "string", "format": "binary"}
    raise NotImplementedError(f"no schema for {kind}")

"""Examples of request bodies: put together from the fields' own, and one whole form for every service that has one."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.catalog.catalog import Catalog
from app.forms import Form

Operation = dict[str, Any]
Schema = dict[str, Any]


def add_body_examples(operation: Operation, schemas: dict[str, Schema]) -> None:
    """A JSON body made of its fields' examples, for bodies whose required fields all have one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    asked = content["schema"]
    examples = {}
    for number, choice in enumerate(asked.get("oneOf", [asked])):
        shown = _shown(choice, schemas)
        if shown is not None:
            summary = f"{operation['summary']} ({shown['method']})" if "oneOf" in asked else operation["summary"]
            examples["example" if number == 0 else f"example_{number + 1}"] = {"summary": summary, "value": shown}
    if examples:
        content["examples"] = examples


def add_answer_examples(operation: Operation, examples: Mapping[str, Any]) -> None:
    """What its answer looks like, by media type, as the handler's `opt` says it. Litestar's own way to tell examples
    loses every null in them."""
    for media_type, value in examples.items():
        operation["responses"]["200"]["content"][media_type]["examples"] = {"example": {"value": value}}


def _shown(schema: Schema, schemas: dict[str, Schema]) -> dict[str, Any] | None:
    """An object of its fields' examples, with objects within; None where a field that must be there has none."""
    schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    shown = {}
    for name, spec in schema["properties"].items():
        if spec.get("examples"):
            shown[name] = spec["examples"][0]
        elif "const" in spec:
            shown[name] = spec["const"]
        elif "$ref" in spec and (inner := _shown(spec, schemas)) is not None:
            shown[name] = inner
    return shown if set(schema["required"]) <= shown.keys() else None


def add_form_examples(operations: Iterable[Operation], catalog: Catalog) -> None:
    """For bodies that hold a form, one of each service: as a draft without its files, which is valid for everybody."""
    by_id = {operation["operationId"]: operation for operation in operations}
    forms = {
        service.slug: (service.title.en, _without_files(form))
        for service in catalog.services()
        if service.manifest.mode == "api" and (form := catalog.form(service.slug)) and form.example
    }
    _body(by_id["open_case"])["examples"] = {
        slug: {
            "summary": f"{title}, as a draft",
            "description": "To hand it in at once, send each file (`POST /v1/attachments`), put its id in the form's "
            "file field, and leave `draft` out.",
            "value": {"service": slug, "form": form, "draft": True},
        }
        for slug, (title, form) in forms.items()
    }
    _body(by_id["change_draft"])["examples"] = {
        slug: {"summary": title, "value": {"form": form}} for slug, (title, form) in forms.items()
    }


def _without_files(form: Form) -> dict[str, Any]:
    return {name: value for name, value in (form.example or {}).items() if name not in form.file_names()}


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = operation["requestBody"]["content"]["application/json"]
    return content

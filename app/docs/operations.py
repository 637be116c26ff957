"""One operation made truthful and readable: what may be left out, what a null is, what each answer means."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from app.login.guards import ACTING_FOR

Operation = dict[str, Any]
Schema = dict[str, Any]

# Every operation can refuse, and a refusal has words.
PARAMETERS: dict[str, dict[str, Any]] = {
    "Accept-Language": {
        "name": "Accept-Language",
        "in": "header",
        "description": "The language of texts: `id`, else `en`.",
        "required": False,
        "schema": {"type": "string", "examples": ["en"]},
    },
    ACTING_FOR: {
        "name": ACTING_FOR,
        "in": "header",
        "description": "The delegation under which this is done for somebody else. Left out: for oneself.",
        "required": False,
        "schema": {"type": "string", "format": "uuid"},
    },
}
_MEANING = {
    "200": "As asked",
    "201": "Made",
    "202": "Taken; what follows is under way",
    "204": "Done",
}


def tidy(operation: Operation, handler: HTTPRouteHandler) -> None:
    """Mend what Litestar cannot know or says too broadly."""
    own = operation.setdefault("parameters", [])
    for parameter in own:
        _tidy_parameter(parameter)
    own.append({"$ref": "#/components/parameters/Accept-Language"})
    body = handler.parsed_data_field
    if body is not None:
        operation["requestBody"]["required"] = not body.has_default
    for status, answer in operation["responses"].items():
        if status in _MEANING and not handler.response_description and int(status) == handler.status_code:
            answer["description"] = _MEANING[status]
        if status == "204":
            answer.pop("content", None)
        for told in answer.get("content", {}).values():
            # What is written piece by piece: its pieces are told in words and by an example.
            told["schema"] = told["schema"] or {"type": "string"}
    del operation["deprecated"]


def add_acting(operation: Operation) -> None:
    """It can also be done for somebody else."""
    operation["parameters"].append({"$ref": f"#/components/parameters/{ACTING_FOR}"})


def _tidy_parameter(parameter: dict[str, Any]) -> None:
    """A parameter can be left out, but no text that is sent stands for null."""
    schema: Schema = parameter["schema"]
    for unsaid in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(unsaid, None)
    if parameter["in"] == "path":
        parameter.setdefault("description", f"The {parameter['name'].removesuffix('_id')}'s id, as a list gave it.")
    if schema.get("type") == "integer":
        schema |= {bound: int(schema[bound]) for bound in ("minimum", "maximum") if bound in schema}
    # The words stand on the parameter; a second copy in its schema would only double them in clients.
    schema.pop("description", None)
    kinds = schema.pop("oneOf", None)
    if kinds:
        [kind] = [each for each in kinds if each != {"type": "null"}]
        parameter["schema"] = kind | schema
    elif None in schema.get("enum", ()):
        schema["enum"] = [value for value in schema["enum"] if value is not None]
        if isinstance(schema["type"], list):
            [schema["type"]] = [kind for kind in schema["type"] if kind != "null"]

"""A service's form: JSON Schema 2020-12 with texts in two languages, one file of a service module per version.

docs/forms.md tells of file names and x- keywords. A version, once used, never changes: drafts and cases keep theirs.
"""

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import jsonschema_rs
import msgspec

from app.errors import FieldError
from app.texts import LANGUAGES, Language
from app.words import says_nothing

MOST_ERRORS = 50

# What x-options names: a set of choices the form's author cannot know, such as the city's villages, as code to label.
Options = Mapping[str, Mapping[str, str]]
Schema = dict[str, Any]

_FILE_NAME = re.compile(r"^(?P<name>[a-z][a-z0-9-]*)\.(?P<version>[1-9][0-9]{0,3})\.json$", re.ASCII)
# The pattern of a text of any words; any other is that of a number or code.
_ANYTHING = r"\S"
_DATE = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", re.ASCII)
# Control characters and lone surrogates break PostgreSQL's text or an agency's log; tab and line ends may stay.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class FormFileError(Exception):
    """A form's file cannot be used; the message names the file."""


class FileField(msgspec.Struct, frozen=True):
    """A field that holds an attachment, as one filled-in form has it."""

    name: str
    attachment_id: UUID
    accept: Sequence[str]
    max_bytes: int


class Form:
    """One version of one form, compiled."""

    def __init__(self, name: str, version: int, document: Schema, options: Options | None = None) -> None:
        """Raises FormFileError for a schema that does not compile, or an x-options name that `options` lacks."""
        self.name = name
        self.version = version
        self._schema = document if options is None else _with_options(document, options)
        self._localized: dict[Language, Schema] = {
            language: _localized(self._schema, language) for language in LANGUAGES
        }
        try:
            self._validator = jsonschema_rs.validator_for(
                self._schema, validate_formats=True, ignore_unknown_formats=False, formats={"date": _is_date}
            )
        except ValueError as error:
            raise FormFileError(f"form {name}.{version}: {error}") from None
        self._texts = [name for name, spec in self._schema["properties"].items() if _is_text(spec)]
        self._words = {name for name in self._texts if self._schema["properties"][name].get("pattern") == _ANYTHING}

    @classmethod
    def load(cls, path: Path, options: Options | None = None) -> Self:
        """Read one file. Raises FormFileError."""
        found = _FILE_NAME.match(path.name)
        if not found:
            raise FormFileError(f"{path.name}: a form's file is called <name>.<version>.json")
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            raise FormFileError(f"{path.name}: {error}") from None
        return cls(found["name"], int(found["version"]), document, options)

    def schema_for(self, language: Language) -> Schema:
        """The schema as a frontend draws it: titles, help and labels in one language. Shared: do not change it."""
        return self._localized[language]

    def errors(self, data: object, at: str = "", *, forgiven: Container[str] = ()) -> list[FieldError]:
        """The first 50 faults of a filled-in form, none if it is right. `at` goes before every pointer; faults whose
        code is `forgiven` are none."""
        unforgiven = (fault for fault in self._faults(data) if fault.code not in forgiven)
        found = list(islice(unforgiven, MOST_ERRORS))
        if not found:
            found = list(islice(_unprintable(data, ""), MOST_ERRORS))
        # A field that is not asked for has one fault: being there. What else is wrong with it does not matter.
        not_asked = {fault.pointer for fault in found if fault.code == "not_applicable"}
        return [
            FieldError(at + fault.pointer, fault.code, fault.params)
            for fault in found
            if fault.code == "not_applicable" or fault.pointer not in not_asked
        ]

    @property
    def example(self) -> Mapping[str, Any] | None:
        """The form as somebody might fill it in, from the schema's own `examples`."""
        examples = self._schema.get("examples", ())
        return examples[0] if examples else None

    def file_names(self) -> set[str]:
        """The fields that hold an attachment."""
        return {name for name, spec in self._schema["properties"].items() if "x-file" in spec}

    def free_texts(self, data: Mapping[str, object]) -> list[str]:
        """What was filled in as words of one's own, not chosen from a list."""
        return [value for name in self._texts if isinstance(value := data.get(name), str)]

    def consents(self, data: Mapping[str, object]) -> list[str]:
        """What a filled-in form agrees to, by the purposes that its x-consent fields name."""
        return [
            str(spec["x-consent"])
            for name, spec in self._schema["properties"].items()
            if "x-consent" in spec and data.get(name) is True
        ]

    def consent_purposes(self) -> set[str]:
        return {str(spec["x-consent"]) for spec in self._schema["properties"].values() if "x-consent" in spec}

    def file_fields(self, data: Mapping[str, object]) -> list[FileField]:
        """The attachments that a filled-in form names. Only for data without errors."""
        return [
            FileField(name, UUID(str(data[name])), tuple(spec["x-file"]["accept"]), spec["x-file"]["max_bytes"])
            for name, spec in self._schema["properties"].items()
            if "x-file" in spec and name in data
        ]

    def _faults(self, data: object) -> Iterator[FieldError]:
        if not isinstance(data, dict) or not (blank := self._blank(data)):
            yield from self._found(data)
            return
        said = {name: value for name, value in data.items() if name not in blank.values()}
        missing = {fault.pointer for fault in self._found(said) if fault.code == "required"}
        unfilled = {pointer for pointer, name in blank.items() if pointer in missing or name in self._words}
        told = set()
        for fault in self._found(data):
            if not (fault.pointer in unfilled and fault.code in _UNFILLED):
                told.add(fault.pointer)
                yield fault
        for pointer in (each for each in blank if each not in told):
            yield FieldError(pointer, "required" if pointer in missing else "unsaid")

    def _blank(self, data: Mapping[str, object]) -> dict[str, str]:
        """The texts that say nothing, by pointer: a field of them alone was not filled in."""
        given = ((name, data.get(name)) for name in self._texts)
        return {f"/{_escaped(name)}": name for name, value in given if isinstance(value, str) and says_nothing(value)}

    def _found(self, data: object) -> Iterator[FieldError]:
        for error in self._validator.iter_errors(data):
            yield from _field_errors(error, self._schema)


def _is_text(spec: Schema) -> bool:
    """Whether it is filled in with words of one's own."""
    return spec.get("type") == "string" and not {"enum", "format", "x-options"} & spec.keys()


def load_forms(folder: Path, options: Options | None = None) -> dict[str, dict[int, Form]]:
    """Every form in one module's forms/ by name, and there by version. Raises FormFileError."""
    found: dict[str, dict[int, Form]] = {}
    for path in sorted(folder.glob("*.json")):
        form = Form.load(path, options)
        found.setdefault(form.name, {})[form.version] = form
    return found


_CODES = {
    "additionalProperties": "unknown_field",
    "const": "enum",
    "contains": "choice_missing",
    "exclusiveMaximum": "exclusive_maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "falseSchema": "not_applicable",
    "maxItems": "max_items",
    "maxLength": "max_length",
    "minItems": "min_items",
    "minLength": "min_length",
    "multipleOf": "multiple_of",
    "uniqueItems": "not_unique",
}
# What a schema finds wrong with a text that was not filled in.
_UNFILLED = {"min_length", "pattern"}
_PLAIN = {"required", "type", "enum", "format", "pattern", "minimum", "maximum"}


def _field_errors(error: jsonschema_rs.ValidationError, schema: Schema) -> Iterator[FieldError]:
    pointer = _pointer(error.instance_path)
    kind = error.kind
    details = kind.as_dict()
    if kind.name == "required":
        yield FieldError(f"{pointer}/{_escaped(details['property'])}", "required")
    elif kind.name == "additionalProperties":
        for name in details["unexpected"]:
            yield FieldError(f"{pointer}/{_escaped(name[:100])}", "unknown_field")
    elif kind.name == "contains":
        yield FieldError(pointer, "choice_missing", _missing_choice(error, schema))
    elif kind.name == "const" and details["expected_value"] is True:
        yield FieldError(pointer, "not_accepted")
    elif kind.name == "format" and details["format"] in ("date", "uuid"):
        yield FieldError(pointer, "date_invalid" if details["format"] == "date" else "attachment_id_invalid")
    else:
        code = kind.name if kind.name in _PLAIN else _CODES.get(kind.name, "invalid")
        yield FieldError(pointer, code, _limit_of(details))


def _limit_of(details: Mapping[str, Any]) -> dict[str, object]:
    limit = details.get("limit", details.get("multiple_of"))
    return {} if limit is None else {"limit": limit}


def _missing_choice(error: jsonschema_rs.ValidationError, schema: Schema) -> dict[str, object]:
    """Which choice of a list is missing, with its label in both languages for the text."""
    node: Any = schema
    for step in error.schema_path:
        node = node[step]
    field: Any = schema["properties"].get(error.instance_path[0] if error.instance_path else "", {})
    choice = node.get("const", "")
    labels = field.get("x-labels", {})
    said = {f"label_{language}": labels.get(language, {}).get(choice, choice) for language in LANGUAGES}
    return {"choice": choice, **said}


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{_escaped(str(step))}" for step in path)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unprintable(data: object, at: str) -> Iterator[FieldError]:
    # Runs on valid data only: its depth is the form's own, not the sender's choice.
    if isinstance(data, str):
        if _UNPRINTABLE.search(data):
            yield FieldError(at, "control_character")
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _unprintable(value, f"{at}/{_escaped(str(key))}")
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _unprintable(value, f"{at}/{index}")


def _is_date(value: str) -> bool:
    # Python's own reading is needed besides the form: 0000-01-01 passes RFC 3339 and would fail later as a date.
    if not _DATE.match(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _with_options(document: Schema, options: Options) -> Schema:
    """The schema with every x-options made into the choices that it stands for."""
    properties = dict(document["properties"])
    examples = [dict(example) for example in document.get("examples", ())]
    for name, spec in properties.items():
        source = spec.get("x-options")
        if source is None:
            continue
        if source not in options:
            raise FormFileError(f"{document.get('$id')}: x-options of {name} names {source!r}, which is unknown")
        labels = dict(options[source])
        properties[name] = spec | {"enum": list(labels), "x-labels": dict.fromkeys(LANGUAGES, labels)}
        for example in examples:
            if labels and example.get(name) not in (None, *labels):
                example[name] = next(iter(labels))
    return document | {"properties": properties, "examples": examples}


def _localized(node: Schema, language: Language) -> Schema:
    """A schema's object with the texts of one language in JSON Schema's own title and description."""
    plain = {key: _walked(value, language) for key, value in node.items() if key not in ("x-texts", "x-labels")}
    texts = node.get("x-texts", {}).get(language, {})
    said = {
        "title": texts.get("title"),
        "description": texts.get("help"),
        "x-placeholder": texts.get("placeholder"),
        "x-labels": node.get("x-labels", {}).get(language),
    }
    return {key: value for key, value in said.items() if value} | plain


def _walked(node: object, language: Language) -> object:
    if isinstance(node, list):
        return [_walked(item, language) for item in node]
    return _localized(node, language) if isinstance(node, dict) else node

"""XML of agencies and other systems, read without XML's ways to reach out or to grow: a document type is refused.

Callers check what elements stand where; a signed document is read only as a whole, from its root.
"""

from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

LONGEST_BYTES = 2 * 1024 * 1024
DEEPEST = 64
MOST_ELEMENTS = 10_000
MOST_ATTRIBUTES = 64


class UnsafeXml(Exception):
    """Not well-formed, or more than a plain document: with a document type, an entity, an instruction, or too much."""


def read_xml(body: bytes) -> Element:
    """The root of a document. Names are as ElementTree writes them: `{namespace}name`. Raises UnsafeXml."""
    if len(body) > LONGEST_BYTES:
        raise UnsafeXml("too long")
    reader = _Reader()
    try:
        return reader.read(body)
    except (expat.ExpatError, ParseError, ValueError, LookupError, AssertionError) as error:
        raise UnsafeXml(type(error).__name__) from None


class _Reader:
    """expat with a handler for each thing that may not be. Nothing of a document is built before it is allowed."""

    def __init__(self) -> None:
        self._tree = TreeBuilder()
        self._depth = self._elements = 0
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._tree.data
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.EntityDeclHandler = _refuse
        self._parser.UnparsedEntityDeclHandler = _refuse
        self._parser.ExternalEntityRefHandler = _refuse
        self._parser.SkippedEntityHandler = _refuse
        self._parser.ProcessingInstructionHandler = _refuse
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, body: bytes) -> Element:
        self._parser.Parse(body, True)
        return self._tree.close()

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS or len(attributes) > 2 * MOST_ATTRIBUTES:
            raise UnsafeXml("too much of it")
        pairs = {self._name(attributes[at]): attributes[at + 1] for at in range(0, len(attributes), 2)}
        self._tree.start(self._name(name), pairs)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(self._name(name))

    def _name(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = f"{{{name}" if "}" in name else name
        return self._names[name]


def _refuse(*_: object) -> NoReturn:
    raise UnsafeXml("a document type, an entity or an instruction")

"""What handlers tell OpenAPI of their answers beside a body: headers, and further representations."""

from dataclasses import dataclass

from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType


def _told(name: str, description: str, *, required: bool = True) -> ResponseHeader:
    return ResponseHeader(name=name, description=description, required=required, documentation_only=True, value="")


ETAG = _told("ETag", "This state of it: send it back as If-Match to change it, or as If-None-Match to read it again.")
LOCATION = _told("Location", "The path it is read at.")
REPLAYED = _told(
    "Idempotency-Replayed", "`true` where this is the first answer to the Idempotency-Key, once more.", required=False
)
CONTENT_LANGUAGE = _told("Content-Language", "The language of the texts: `id` or `en`.", required=False)
CONTENT_DISPOSITION = _told("Content-Disposition", "The file's name.", required=False)


def representations(*media_types: str, form: OpenAPIFormat | None = None, also: bool = True) -> type[Operation]:
    """An `operation_class` that tells of further media types of the 200: a handler's return type names only one.

    With `also` False they stand in place of what the return type says.
    """

    @dataclass
    class Represented(Operation):
        def __post_init__(self) -> None:
            answer = (self.responses or {})["200"]
            if isinstance(answer, OpenAPIResponse):
                told = answer.content if also and answer.content else {}
                texts = {name: OpenAPIMediaType(Schema(type=OpenAPIType.STRING, format=form)) for name in media_types}
                answer.content = {**told, **texts}

    return Represented

"""Answers of handlers: JSON that is encoded already, and what OpenAPI is told beside a body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from litestar import MediaType, Response
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import ResponseHeader
from litestar.datastructures.headers import Accept
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.response.base import ASGIResponse
from litestar.types import HTTPScope, Receive, Scope, Send

from app.headers import header


def _told(name: str, description: str, *, required: bool = True) -> ResponseHeader:
    return ResponseHeader(name=name, description=description, required=required, documentation_only=True, value="")


ETAG = _told("ETag", "This state of it: send it back as If-Match to change it, or as If-None-Match to read it again.")
LOCATION = _told("Location", "The path it is read at.")
REPLAYED = _told(
    "Idempotency-Replayed", "`true` where this is the first answer to the Idempotency-Key, once more.", required=False
)
CONTENT_LANGUAGE = _told("Content-Language", "The language of the texts: `id` or `en`.", required=False)
CONTENT_DISPOSITION = _told("Content-Disposition", "The file's name.", required=False)


def representations(
    *media_types: str, form: OpenAPIFormat | None = None, also: bool = True, partly: bool = False
) -> type[Operation]:
    """An `operation_class` that tells of further media types of the 200: a handler's return type names only one.

    With `also` False they stand in place of what the return type says; with `partly` a 206 has them as well.
    """

    @dataclass
    class Represented(Operation):
        def __post_init__(self) -> None:
            answers = self.responses or {}
            for answer in (answers["200"], *([answers["206"]] if partly else [])):
                if not isinstance(answer, OpenAPIResponse):
                    continue
                told = answer.content if also and answer.content else {}
                texts = {name: OpenAPIMediaType(Schema(type=OpenAPIType.STRING, format=form)) for name in media_types}
                answer.content = {**told, **texts}

    return Represented


def wanted_of(scope: HTTPScope, *offered: str) -> str:
    """The representation asked for. Raises HTTPException 406, which app.problems renders."""
    asked = header(scope, b"accept") or "*/*"
    found = offered[0] if asked in ("*/*", offered[0]) else Accept(asked).best_match(list(offered))
    if found is None:
        raise HTTPException(status_code=406)
    return found


class EncodedJson(Response[Any]):
    """JSON bytes sent as they are: the hot reads' answer. Litestar's own response builds, merges and encodes what is
    decided here already, for a quarter of a light request's time."""

    def __init__(  # no super().__init__(): that is what this saves
        self,
        body: bytes,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.content = body
        self.status_code = status_code
        self.headers = dict(headers or {})
        self.background = background
        self.media_type = MediaType.JSON
        self.cookies = []

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        lengths = (b"content-length", str(len(self.content)).encode())
        return cast("ASGIResponse", _Sender(self, [*sent, (b"content-type", b"application/json"), lengths]))


class _Sender:
    """The ASGI application of one EncodedJson."""

    def __init__(self, response: EncodedJson, headers: list[tuple[bytes, bytes]]) -> None:
        self._response = response
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self._response.status_code or 200, "headers": self._headers}
        )
        await send({"type": "http.response.body", "body": self._response.content, "more_body": False})
        if self._response.background is not None:
            await self._response.background()

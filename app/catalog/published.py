"""Public answers, encoded once per language and kept for a minute: the same bytes and ETag for everybody who asks."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from app.texts import Language

MAX_AGE_S = 60
MOST_KEPT = 500


class Encoded(msgspec.Struct, frozen=True):
    """An answer's bytes and its strong ETag."""

    body: bytes
    etag: str


class Published:
    """The answers one process keeps. Only what is public and the same for all may come in here."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, Encoded]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[object]]) -> Encoded:
        """The kept answer, else what `make` gives, encoded and kept."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] > time.monotonic():
            self._kept.move_to_end(key)
            return kept[1]
        body = msgspec.json.encode(await make())
        encoded = Encoded(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        self._kept[key] = (time.monotonic() + MAX_AGE_S, encoded)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return encoded


def public_answer(request: Request[Any, Any, Any], answer: Encoded, language: Language) -> Response[Any]:
    """200 with the answer, or 304 where the reader has it already."""
    headers = {
        "ETag": answer.etag,
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if _is_known(request.headers.get("if-none-match", ""), answer.etag):
        return Response(None, status_code=304, headers=headers)
    return Response(answer.body, media_type=MediaType.JSON, headers=headers)


def _is_known(if_none_match: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: compared weakly; `*` matches whatever there is."""
    sent = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in sent or "*" in sent

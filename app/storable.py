"""Text that nothing of ours can keep is refused where it comes in, or mended where it is an agency's: U+0000, which
PostgreSQL's text has not, and lone surrogates, which UTF-8 has not (a JSON body with one is no JSON to begin with)."""

import re
from collections.abc import Iterable

from litestar.types import HTTPScope

from app.errors import BadRequest, NotFound

# With an even number of backslashes before it: else it is the text `\u0000`, a backslash and five letters.
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def refuse_address(scope: HTTPScope) -> None:
    """Raises NotFound for such a path, as for any other that names nothing, BadRequest for such a query."""
    if "\0" in scope["path"]:
        raise NotFound
    if b"%00" in scope["query_string"]:
        raise BadRequest("parameter_invalid")


def refuse_json(body: bytes) -> None:
    """Raises BadRequest. Most bodies cost a look for six letters."""
    if rb"\u0000" in body and _ESCAPED_NUL.search(body):
        raise BadRequest("text_unstorable")


def without_nul(body: bytes) -> bytes:
    """An agency's JSON, whose texts are to be kept: U+FFFD stands in each place. It cannot be asked to write better."""
    return _ESCAPED_NUL.sub(rb"\1\\ufffd", body) if rb"\u0000" in body else body


def refuse_texts(texts: Iterable[object]) -> None:
    """Those among `texts` that are text. Raises BadRequest."""
    for each in texts:
        if isinstance(each, str) and _UNSTORABLE.search(each):
            raise BadRequest("text_unstorable")

"""Parameters that routes of several rooms take, told to OpenAPI once."""

from typing import Annotated

from litestar.params import HeaderParameter, QueryParameter

from app.cursor import MAX_LENGTH

_KEY_SAID = "8 to 128 characters, new for each thing asked for. Sent again, it gives the first answer again."
# Told, not held by Litestar: app.idempotency refuses a malformed key by a code of its own.
_KEY_FORM = {"pattern": "^[A-Za-z0-9._:-]{8,128}$", "examples": ["5f0c7a52-6f2b-4f83-9d1e-7d6c3f1f0a11"]}

NeededKey = Annotated[str, HeaderParameter(name="Idempotency-Key", description=_KEY_SAID, schema_extra=_KEY_FORM)]
Key = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", required=False, description=_KEY_SAID, schema_extra=_KEY_FORM),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=MAX_LENGTH,
        description="`next_cursor` of the page before, as it was given.",
        # No format of JSON Schema: it says that only a text we have written is one.
        schema_extra={"format": "cursor"},
    ),
]

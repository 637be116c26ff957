"""Every refusal and failure we know by name. app.problems renders them; their words are error.<code> in texts.toml."""

from collections.abc import Mapping, Sequence

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault of a payload: where (JSON pointer, RFC 6901), what (stable code), and what fills the text."""

    pointer: str
    code: str
    params: Mapping[str, object] = {}


class LoketError(Exception):
    """A refusal with a stable code. `status` is the HTTP status it becomes at the edge."""

    status = 400
    code = "bad_request"

    def __init__(
        self,
        code: str | None = None,
        *,
        params: Mapping[str, object] | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.params = params or {}
        self.errors = errors
        self.retry_after_s = retry_after_s
        super().__init__(self.code)


class BadRequest(LoketError):
    status = 400


class Unauthenticated(LoketError):
    status = 401
    code = "token_missing"


class Forbidden(LoketError):
    status = 403
    code = "forbidden"


class NotFound(LoketError):
    """Also said of another person's thing: its existence is not told."""

    status = 404
    code = "not_found"


class Conflict(LoketError):
    status = 409
    code = "conflict"


class PreconditionFailed(LoketError):
    status = 412
    code = "etag_stale"


class PreconditionRequired(LoketError):
    status = 428
    code = "if_match_missing"


class TooLarge(LoketError):
    status = 413
    code = "body_too_large"


class UnsupportedMediaType(LoketError):
    status = 415
    code = "media_type_unsupported"


class RangeNotSatisfiable(LoketError):
    status = 416
    code = "range_beyond_file"


class Unprocessable(LoketError):
    status = 422
    code = "validation_failed"


class TooManyRequests(LoketError):
    status = 429
    code = "too_many_requests"


class Unavailable(LoketError):
    status = 503
    code = "unavailable"


class AgencyError(Exception):
    """What an agency's system made of a call. `detail` is for officers: never a citizen's text, never a credential.

    `answered`: what a gateway said in the system's place, for the integration that can read it; shown to nobody.
    """

    answered = b""

    def __init__(self, backend: str, operation: str, detail: str, *, code: str = "") -> None:
        super().__init__(f"{backend}.{operation}: {detail}")
        self.backend = backend
        self.operation = operation
        self.detail = detail
        self.code = code


class AgencyRejected(AgencyError):
    """The agency's system understood and refused. Nothing happened there; asking again will not help."""


class AlreadyThere(AgencyRejected):
    """The agency's system has one of this already and gives no second. After a lost answer that one is ours."""


class AgencyUnavailable(AgencyError):
    """The call surely had no effect (not sent, refused at the door, or a read): it may be tried again."""

    def __init__(
        self, backend: str, operation: str, detail: str, *, code: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(backend, operation, detail, code=code)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(AgencyError):
    """The call may have had its effect and the answer was lost: look it up before anything is sent again."""


class NotOffered(AgencyError):
    """The agency's system has no such operation: a person at the agency must do it."""

"""Errors as RFC 9457 problem documents: how each exception is rendered, and how OpenAPI is told of them."""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.datastructures import FormMultiDict
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import (
    AgencyError,
    BadRequest,
    FieldError,
    LoketError,
    NotFound,
    PreconditionRequired,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from app.storable import refuse_json, refuse_texts
from app.telemetry import request_id
from app.texts import Language, error_statuses, has_text, language_of, text
from app.words import is_unsaid

T = TypeVar("T")
log = logging.getLogger("loket.problems")

PROBLEM_JSON = "application/problem+json"
MOST_ERRORS = 50
# Of the name of a field that nobody knows, this much is told back.
MOST_NAMED = 100
# SQLSTATE classes that mean "try again", not "we are wrong": connection gone, resources spent, operator intervened,
# and a statement or lock that ran out of its time (57014, 55P03).
_PASSING_SQLSTATES = ("08", "53", "57", "55P03", "40")
# Litestar's words for a body that ends before its end.
_CUT_OFF = "client disconnected prematurely"


class FieldProblem(msgspec.Struct):
    """One fault of a payload: JSON pointer (RFC 6901), stable code, words."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, omit_defaults=True):
    """RFC 9457 problem details. `code` is stable; `title` and `detail` follow Accept-Language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []
    params: dict[str, Any] = {}


class StrictRequest(Request[Any, Any, Any]):
    """Decodes a JSON body once, straight into the handler's Struct, without coercion, and says where a fault lies."""

    async def json(self) -> Any:
        sent_as = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent_as and sent_as != "application/json" and not sent_as.endswith("+json"):
            raise UnsupportedMediaType
        field = self.route_handler.parsed_data_field
        return decode_body(await self.body(), field.annotation if field else object)

    async def form(self) -> FormMultiDict:
        given = await super().form()
        refuse_texts(part for pair in given.multi_items() for part in pair)
        return given


def decode_body(body: bytes, kind: Any) -> Any:
    """`body` as `kind`. Raises BadRequest where it is not JSON, or holds what nothing can keep; Unprocessable where it
    is not of the form asked for."""
    refuse_json(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("json_malformed") from None
    except RecursionError:
        raise BadRequest("json_too_deep") from None


def converted(given: object, kind: type[T], *, strict: bool = True) -> T:
    """`given` as `kind`; not strict for what came as text, from a form or an address. Raises Unprocessable."""
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


_AT = re.compile(r" - at `(key in )?\$(?P<path>[^`]*)`$")
_FIELD_NAMED = re.compile(r"field `(?P<name>[^`]+)`")
_BOUND = re.compile(r"[<>]=? (?P<limit>-?[0-9.]+)")
_CODES: Sequence[tuple[str, str]] = (
    ("missing required field", "required"),
    ("unknown field", "unknown_field"),
    ("array` of length <=", "max_items"),
    ("array` of length >=", "min_items"),
    ("of length <=", "max_length"),
    ("of length >=", "min_length"),
    ("matching regex", "pattern"),
    ("<=", "maximum"),
    (">=", "minimum"),
    ("Invalid enum value", "enum"),
    ("Invalid value", "enum"),
    ("Invalid", "format"),
)


def field_error(message: str) -> FieldError:
    """msgspec's words (`Expected ... - at `$.a[0]``) as a pointer and a stable code; the words themselves stay here."""
    found = _AT.search(message)
    # What stands under a name that is not told has the pointer of what holds it.
    path = found["path"].partition("[...]")[0] if found else ""
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/")
    code = "unsaid" if is_unsaid(message) else next((code for words, code in _CODES if words in message), "type")
    named = _FIELD_NAMED.search(message)
    if code in ("required", "unknown_field") and named:
        pointer += "/" + named["name"][:MOST_NAMED].replace("~", "~0").replace("/", "~1")
    bound = _BOUND.search(message)
    return FieldError(pointer, code, {"limit": bound["limit"]} if bound else {})


def problems(*told: int | str, public: bool = False) -> dict[int, ResponseSpec]:
    """The problem answers of a route for its `responses=`, with those that any route can give.

    `told` are the route's own codes, or bare statuses where app.docs.refusals knows the code by what the route takes.
    """
    always = (400, 406, 429, 500, 503) if public else (400, 401, 406, 429, 500, 503)
    codes: dict[int, list[str]] = {status: [] for status in always}
    for each in told:
        status = each if isinstance(each, int) else error_statuses()[each]
        codes.setdefault(status, []).extend([each] if isinstance(each, str) else [])
    return {status: _problem_spec(status, codes[status]) for status in sorted(codes)}


def example_problem(code: str) -> Problem:
    """What a refusal with this code looks like, in English."""
    error = LoketError(code)
    error.status = error_statuses()[code]
    problem = problem_of(error, "en")
    problem.request_id = "0192f5d0c0de7000"
    if code == "validation_failed":
        problem.errors = [FieldProblem("/name", "required", text("field.required", "en"))]
    return problem


def _problem_spec(status: int, codes: Sequence[str]) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description=HTTPStatus(status).phrase,
        media_type=PROBLEM_JSON,
        # Only their names: app.docs.refusals puts the example itself behind each, once for the whole document.
        examples=[Example(id=code) for code in codes],
    )


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler for every exception: nothing of a stack, query, host or credential leaves."""
    return render(known(error), language_of(request.headers.get("accept-language")), _headers_of(error))


def render(error: LoketError, language: Language, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """One refusal as a problem document."""
    sent = {"Content-Language": language, "Cache-Control": "no-store", "Vary": "Accept-Language", **(headers or {})}
    if error.retry_after_s is None and error.status in (429, 503):
        error.retry_after_s = 5
    if error.retry_after_s is not None:
        sent["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        challenge = "Bearer" if error.code == "token_missing" else 'Bearer error="invalid_token"'
        sent.setdefault("WWW-Authenticate", challenge)
    body = msgspec.json.encode(problem_of(error, language))
    return Response(body, status_code=error.status, media_type=PROBLEM_JSON, headers=sent)


def problem_of(error: LoketError, language: Language) -> Problem:
    """The document itself."""
    title_key = f"error.{error.code}.title"
    fallback = f"status.{error.status}"
    return Problem(
        type=_type_of(error.code),
        title=text(title_key if has_text(title_key) else fallback, language),
        status=error.status,
        detail=text(f"error.{error.code}", language, error.params),
        code=error.code,
        request_id=request_id.get(),
        errors=[
            FieldProblem(fault.pointer, fault.code, text(f"field.{fault.code}", language, fault.params or None))
            for fault in error.errors[:MOST_ERRORS]
        ],
        params=dict(error.params),
    )


def _type_of(code: str) -> str:
    return f"/docs/errors#{code}"


def known(error: Exception) -> LoketError:
    if isinstance(error, LoketError):
        return error
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _from_litestar(error)
    if isinstance(error, InternalServerException) and error.detail == _CUT_OFF:
        # Its sender left, or was too slow: nobody reads the answer, and nothing of ours has failed.
        return BadRequest("bad_request")
    if isinstance(error, AgencyError):
        log.warning("agency failed in a request: %s.%s", error.backend, error.operation)
        return Unavailable("agency_unavailable", retry_after_s=10)
    if isinstance(error, PoolTimeoutError | OperationalError | ConnectionError | TimeoutError):
        log.error("database out of reach: %s", type(error).__name__)
        return Unavailable("database_unavailable", retry_after_s=2)
    refusal = error.orig if isinstance(error, DBAPIError) else error
    if _is_passing(refusal) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        log.error("database could not serve: %s", type(refusal).__name__)
        return Unavailable("database_unavailable", retry_after_s=2)
    log.error("unexpected failure", exc_info=error)
    unexpected = LoketError("internal_error")
    unexpected.status = 500
    return unexpected


def _is_passing(refusal: BaseException | None) -> bool:
    """Whether PostgreSQL, or the driver whose connection was closed under it, may serve the next time."""
    if isinstance(refusal, asyncpg.InterfaceError):
        # A connection that is lost goes back to its pool by itself, from under whoever has it.
        return "clos" in str(refusal) or "released back to the pool" in str(refusal)
    if isinstance(refusal, asyncpg.InternalClientError):
        # What asyncpg says where a connection is ended in the middle of a statement.
        return True
    state = getattr(refusal, "sqlstate", None) or ""
    return state.startswith(_PASSING_SQLSTATES)


def _from_litestar(error: HTTPException) -> LoketError:
    if error.status_code == 404:
        return NotFound()
    if error.status_code == 413:
        return TooLarge()
    missing = _MISSING.match(error.detail)
    if missing:
        return _missing_parameter(missing["source"], missing["name"])
    faults = _parameter_faults(error)
    if any(fault.pointer == "" for fault in faults):
        return Unprocessable(errors=[FieldError("", "required")])
    known = BadRequest(_LITESTAR_CODES.get(error.status_code, "bad_request"), errors=faults)
    known.status = error.status_code
    if any(fault.pointer.startswith("/query") for fault in faults):
        known.code = "parameter_invalid"
    return known


_LITESTAR_CODES = {405: "method_not_allowed", 406: "not_acceptable", 415: "media_type_unsupported"}


_MISSING = re.compile(r"Missing required (?P<source>\w+) parameter '(?P<name>[^']+)'")


def _missing_parameter(source: str, name: str) -> LoketError:
    if name == "Idempotency-Key":
        return BadRequest("idempotency_key_missing")
    if name == "If-Match":
        return PreconditionRequired()
    return BadRequest("parameter_invalid", errors=[FieldError(f"/{source}/{name}", "required")])


def _parameter_faults(error: HTTPException) -> list[FieldError]:
    """Pointer "" for a body that is not there at all."""
    extra = error.extra if isinstance(error.extra, list) else []
    faults = []
    for item in extra:
        key = str(item.get("key", ""))
        source = str(getattr(item.get("source"), "value", item.get("source", "")))
        found = field_error(str(item.get("message", "")))
        pointer = f"/{source}/{key}" if source in ("query", "path", "header") else f"/{key}" if key != "data" else ""
        faults.append(FieldError(pointer, found.code, found.params))
    return faults


def _headers_of(error: Exception) -> dict[str, str]:
    headers = getattr(error, "headers", None)
    allow = headers.get("Allow") or headers.get("allow") if headers else None
    # What can be got can be asked for its head (app/heads.py).
    return {"Allow": allow.replace("GET", "GET, HEAD", 1)} if allow else {}

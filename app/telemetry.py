"""One ASGI function around the product: request id, headers, one log line, metrics, a trace; and masked logs."""

import asyncio
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from http import HTTPStatus
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import msgspec
import structlog
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from app.asking import Acting, acting
from app.headers import header
from app.ids import uuid7
from app.limits import Allowance
from app.settings import Settings
from app.texts import language_of, text
from app.tracing import Trace, Tracing, current

request_id: ContextVar[str] = ContextVar("request_id", default="")

REQUESTS = Counter("loket_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "loket_request_seconds", "Time to answer", ["route"], buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
)
AGENCY_CALLS = Counter("loket_agency_calls_total", "Calls to agencies' systems", ["backend", "operation", "outcome"])
AGENCY_SECONDS = Histogram("loket_agency_seconds", "Time of calls to agencies' systems", ["backend", "operation"])

LOG_EVERY_S = 0.2
# A client's own id, unless a part of it could be a NIK or a phone: it stands in logs, in the record and with agencies.
_WELL_FORMED_ID = re.compile(
    r"^(?!(?:.*[._-])?(?:[0-9]{16}|(?:62|0)8[0-9]{7,11})(?:[._-]|$))[A-Za-z0-9._-]{8,64}$", re.ASCII
)
_SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_API_CSP = b"default-src 'none'; frame-ancestors 'none'"
_PAGE_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Telemetry:
    """Wraps the application; adds well under 60 µs a request, so no ready-made middleware is stacked for any of it."""

    def __init__(self, app: ASGIApp, settings: Settings, tracing: Tracing | None = None) -> None:
        self._app = app
        self._tracing = tracing
        self._headers = _SECURITY_HEADERS if settings.is_demo else [*_SECURITY_HEADERS, _HSTS]
        self._hosts = None if settings.is_demo else {settings.public_url.split("//")[1].split("/")[0].encode()}
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._log = RequestLog() if settings.log_level in ("debug", "info") else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = answered = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        identity = given if _WELL_FORMED_ID.match(given) else uuid7().hex
        token = request_id.set(identity)
        trace = self._begin_trace(headers) if self._tracing else None
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                answered = time.perf_counter()
                status = message["status"]
                self._complete(scope, message, identity)
            await send(message)

        try:
            if self._hosts and not self._host_allowed(scope):
                await _refuse_host(scope, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        finally:
            request_id.reset(token)
            if trace is not None:
                self._end_trace(scope, trace, status, answered - started)
            # A stream that somebody listens to for an hour was answered at its beginning: it is no slow request.
            seconds = answered - started if answered > started else time.perf_counter() - started
            self._account(scope, status, identity, seconds)
            if trace is not None:
                current.set(None)

    def _complete(self, scope: HTTPScope, message: HTTPResponseStartEvent, identity: str) -> None:
        headers = list(message.get("headers", ()))
        names = {name.lower() for name, _ in headers}
        headers.append((b"x-request-id", identity.encode()))
        headers.extend(each for each in self._headers if each[0] not in names)
        if b"content-security-policy" not in names:
            page = any(value.startswith(b"text/html") for name, value in headers if name.lower() == b"content-type")
            headers.append((b"content-security-policy", _PAGE_CSP if page else _API_CSP))
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        allowance = scope.get("state", {}).get("allowance")
        if isinstance(allowance, Allowance):
            headers.append((b"ratelimit-policy", b'"default";q=%d;w=%d' % (allowance.limit, allowance.period_s)))
            headers.append((b"ratelimit", b'"default";r=%d;t=%d' % (allowance.remaining, allowance.reset_s)))
        message["headers"] = headers

    def _account(self, scope: HTTPScope, status: int, identity: str, seconds: float) -> None:
        route = scope.get("path_template") or "unmatched"
        key = (_method_of(scope), route, status)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = (REQUESTS.labels(key[0], route, str(status)), SECONDS.labels(route))
        found[0].inc()
        found[1].observe(seconds)
        if self._log is not None:
            line = {"at": round(time.time(), 3), "event": "request", "method": key[0], "route": route}
            line |= {"status": status, "ms": round(seconds * 1000, 2), "request_id": identity}
            if (trace := current.get()) and trace.shown_id:
                line["trace_id"] = trace.shown_id
            if isinstance(delegate := scope.get("state", {}).get("acting"), Acting):
                line |= {"subject": str(delegate.subject_id), "actor": str(delegate.actor_id)}
            self._log.add(line)

    def _begin_trace(self, headers: Mapping[bytes, bytes]) -> Trace | None:
        if self._tracing is None:
            return None
        parent = headers.get(b"traceparent", b"").decode("latin-1")
        trace = self._tracing.begin(
            parent, headers.get(b"tracestate", b"").decode("latin-1") if parent else "", "server"
        )
        current.set(trace)
        return trace

    def _end_trace(self, scope: HTTPScope, trace: Trace, status: int, seconds: float) -> None:
        """The template of the route, never its path: that has people's ids in it."""
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if self._tracing is None or not self._tracing.is_told(trace, failed=failed, seconds=seconds):
            return
        method, route = _method_of(scope), scope.get("path_template") or "unmatched"
        trace.name = f"{method} {route}"
        trace.error = str(status) if failed else ""
        trace.attributes |= {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        if agency := getattr(scope.get("user"), "agency", None):
            trace.attributes["loket.agency"] = agency
        self._tracing.tell(trace)

    def _host_allowed(self, scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return scope["path"] in ("/healthz", "/readyz") or host in (self._hosts or ())


class RequestLog:
    """Request lines, written together a few times a second: a system call for each would cost more than the line."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def add(self, line: Mapping[str, object]) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(LOG_EVERY_S, self.write)
        self._lines.append(msgspec.json.encode(line))

    def write(self) -> None:
        """Write what has gathered."""
        lines, self._lines = self._lines, []
        if lines:
            sys.stdout.write(b"\n".join(lines).decode() + "\n")
            sys.stdout.flush()


def client_address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The address a request comes from. X-Forwarded-For is believed only as far as trusted proxies wrote it."""
    address = connection.client.host if connection.client else "unknown"
    trusted = connection.app.state.trusted_proxies
    if not trusted or not _is_in(address, trusted):
        return address
    # A proxy may append a line of its own to the header: all lines together are the way the request came.
    hops = ",".join(connection.headers.getall("x-forwarded-for", ())).split(",")
    for hop in (hop.strip() for hop in reversed(hops)):
        if not _is_address(hop):
            break
        address = hop
        if not _is_in(address, trusted):
            break
    return address


def client_network(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """What a request's address is counted under: for IPv6 the network a household is given, of which it may use all."""
    address = client_address(connection)
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def trusted_networks(text: str) -> tuple[Any, ...]:
    """LOKET_TRUSTED_PROXIES, comma-separated networks. Raises ValueError for a bad one."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: tuple[Any, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _method_of(scope: HTTPScope) -> str:
    return scope["method"] if len(scope["method"]) <= 7 else "OTHER"


async def _refuse_host(scope: HTTPScope, send: Send) -> None:
    """A problem document by hand: app.problems, which stands on this module, never sees the request."""
    code = "host_not_allowed"
    language = language_of(header(scope, b"accept-language"))
    problem = {
        "type": f"/docs/errors#{code}",
        "title": text("status.400", language),
        "status": 400,
        "detail": text(f"error.{code}", language),
        "code": code,
        "request_id": request_id.get(),
    }
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-language", language.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def observe_agency(backend: str, operation: str, outcome: str, seconds: float) -> None:
    """Count one call to an agency's system."""
    AGENCY_CALLS.labels(backend, operation, outcome).inc()
    AGENCY_SECONDS.labels(backend, operation).observe(seconds)


_NIK = re.compile(r"(?<!\d)\d{16}(?!\d)")
_PHONE = re.compile(r"(?<![\dA-Za-z])(?:\+62|62|0)8\d{7,11}(?!\d)")
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def mask_text(value: str) -> str:
    """Text without any NIK, phone number or token: the last net under every log line."""
    return _TOKEN.sub("[token]", _PHONE.sub("[phone]", _NIK.sub("[nik]", value)))


def _mask(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask_text(value)
    if identity := request_id.get():
        event["request_id"] = identity
    if (trace := current.get()) and trace.shown_id:
        event["trace_id"] = trace.shown_id
    if delegate := acting.get():
        event.update(subject=str(delegate.subject_id), actor=str(delegate.actor_id))
    return event


def configure_logs(level: str) -> None:
    """Every logger of the process as JSON lines on standard output, masked."""
    shared: list[Callable[..., Any]] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _mask,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "pgqueuer"):
        logging.getLogger(noisy).setLevel("WARNING")

"""The only way out to an agency's system: one time budget per call, size cap, correlation id, concurrency limit.

Says what is known of a call's effect: AgencyUnavailable (none), OutcomeUnknown (perhaps). What an answer means is
its integration's business.
"""

import asyncio
import io
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import NoReturn
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from yarl import URL

from app import exchanges
from app.errors import AgencyUnavailable, OutcomeUnknown
from app.exchanges import Exchange
from app.ids import uuid7
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings
from app.telemetry import request_id

Observe = Callable[[str, str, str, float], None]
LONGEST_RETRY_AFTER_S = 3600.0
IDLE_CONNECTION_S = 15.0


class FormFile(msgspec.Struct, frozen=True):
    """One file of a multipart form. `field` is the form's name for it, `name` the file's own."""

    field: str
    name: str
    media_type: str
    content: bytes


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `operation` names its policy in the manifest; `path` is below the backend's address, without query.

    At most one of `json`, `body` and `form` is set; `files` make the form multipart. `headers` win over our own.
    """

    operation: str
    path: str
    method: str = "GET"
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = {}
    json: object = None
    body: bytes | None = None
    form: Sequence[tuple[str, str]] = ()
    files: Sequence[FormFile] = ()


class Reply(msgspec.Struct, frozen=True):
    """A whole answer, of whatever status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AgencyClient:
    """Calls one backend. Sessions are opened on the running loop by the first call."""

    def __init__(
        self, manifest: IntegrationManifest, backend: BackendSettings, *, observe: Observe | None = None
    ) -> None:
        self.manifest = manifest
        self.backend = backend
        self._base = backend.url.rstrip("/")
        self._observe = observe
        self._slots = asyncio.Semaphore(manifest.concurrency)
        self._reads: aiohttp.ClientSession | None = None
        self._writes: aiohttp.ClientSession | None = None

    async def call(self, call: Call) -> Reply:
        """The backend's answer, whatever its HTTP status.

        Raises AgencyUnavailable where the call surely had no effect: not sent, a safe operation, or refused at the door
        (429, or 503 with Retry-After). Raises OutcomeUnknown where it may have had one: an unsafe operation was sent
        and no whole answer came, or a gateway (502, 503, 504) spoke in the backend's place.
        """
        policy = self.manifest.operations[call.operation]
        attempt = _Attempt()
        started = time.perf_counter()
        outcome = "broken_off"
        try:
            reply = await self._bounded(call, policy, attempt)
            # A system that answers with its own failure is no healthy one, whatever its answer means for this call.
            outcome = "ok" if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"
            return reply
        except AgencyUnavailable:
            outcome = "unavailable"
            raise
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            seconds = time.perf_counter() - started
            if self._observe is not None:
                self._observe(self.backend.name, call.operation, outcome, seconds)
            if exchanges.is_noted():
                exchanges.note(_exchange_of(call, attempt, outcome, seconds))

    async def close(self) -> None:
        """Close every connection. A later call opens them again."""
        for session in (self._reads, self._writes):
            if session is not None:
                await session.close()
        self._reads = self._writes = None

    async def _bounded(self, call: Call, policy: OperationPolicy, attempt: "_Attempt") -> Reply:
        """One deadline around everything: waiting for a slot, DNS, connecting, sending, reading."""
        try:
            async with asyncio.timeout(policy.budget_s), self._slots:
                attempt.reply = reply = await self._exchange(call, policy, attempt)
        except TimeoutError:
            self._fail(call, policy, attempt, f"no whole answer within {policy.budget_s:g} s")
        except _TooLarge:
            self._fail(call, policy, attempt, f"answer larger than {policy.max_response_bytes} bytes")
        except (aiohttp.ClientError, OSError) as error:
            # The class says what happened; the message may hold the address with its query.
            self._fail(call, policy, attempt, f"connection failed ({type(error).__name__})")
        self._refuse_gateway(call, policy, reply)
        return reply

    async def _exchange(self, call: Call, policy: OperationPolicy, attempt: "_Attempt") -> Reply:
        session = self._session(safe=policy.safe)
        headers, data = _encode(call)
        response = await session.request(
            call.method,
            self._url(call.path),
            params=call.query or None,
            headers=headers,
            data=data,
            allow_redirects=False,
            trace_request_ctx=attempt,
        )
        try:
            body = await _read(response, policy.max_response_bytes)
        except BaseException:
            response.close()
            raise
        response.release()
        return Reply(response.status, response.headers, body)

    def _url(self, path: str) -> URL:
        if not path.startswith("/") or "?" in path or "#" in path or "/.." in path:
            raise ValueError(f"{self.backend.name}: a call's path begins with / and holds no query, fragment or /..")
        return URL(self._base + path)

    def _session(self, *, safe: bool) -> aiohttp.ClientSession:
        if safe:
            if self._reads is None:
                connector = aiohttp.TCPConnector(
                    limit=self.manifest.concurrency, keepalive_timeout=IDLE_CONNECTION_S, ttl_dns_cache=60
                )
                self._reads = _open(connector)
            return self._reads
        if self._writes is None:
            # A kept connection that the agency closes as we write would leave every such write unknown: each unsafe
            # call gets a fresh one.
            connector = aiohttp.TCPConnector(limit=self.manifest.concurrency, force_close=True, ttl_dns_cache=60)
            self._writes = _open(connector, middlewares=(_send_once,), trace_configs=[_tracing()])
        return self._writes

    def _refuse_gateway(self, call: Call, policy: OperationPolicy, reply: Reply) -> None:
        if reply.status not in (429, 502, 503, 504):
            return
        wait_s = _retry_after_s(reply.headers.get("Retry-After", ""))
        detail = f"HTTP {reply.status}"
        at_the_door = reply.status == 429 or (reply.status == 503 and wait_s is not None)
        if policy.safe or at_the_door:
            raise AgencyUnavailable(self.backend.name, call.operation, detail, retry_after_s=wait_s)
        raise OutcomeUnknown(self.backend.name, call.operation, detail)

    def _fail(self, call: Call, policy: OperationPolicy, attempt: "_Attempt", detail: str) -> NoReturn:
        if policy.safe or not attempt.sent:
            raise AgencyUnavailable(self.backend.name, call.operation, detail) from None
        raise OutcomeUnknown(self.backend.name, call.operation, detail) from None


class _Attempt:
    """Whether a byte of an unsafe call may have left, and the whole answer, where one came."""

    __slots__ = ("reply", "sent")

    def __init__(self) -> None:
        self.sent = False
        self.reply: Reply | None = None


class _TooLarge(Exception):
    pass


class _Cut(aiohttp.ClientError):
    """A connection broke under an unsafe call. No subclass of what aiohttp sends again by itself."""


class _TooLate(aiohttp.ClientError):
    """The process was stopped so long that another may have taken the matter over: an unsafe call does not leave."""


def _open(
    connector: aiohttp.TCPConnector,
    middlewares: Sequence[ClientMiddlewareType] = (),
    trace_configs: list[aiohttp.TraceConfig] | None = None,
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),  # a cookie kept here would be one citizen's session used for another
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the one deadline is around the call
        trust_env=False,
        headers={"User-Agent": "satu-loket", "Accept": "application/json"},
        middlewares=middlewares,
        trace_configs=trace_configs,
    )


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """aiohttp sends GET, PUT and DELETE again on a broken connection; an unsafe operation may be any of them."""
    if exchanges.is_over():
        raise _TooLate
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Cut(type(error).__name__) from None


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_note_sent)
    return config


async def _note_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.sent = True


def _encode(call: Call) -> tuple[dict[str, str], bytes | io.BytesIO | None]:
    headers = {"X-Request-ID": request_id.get() or uuid7().hex}
    data: bytes | io.BytesIO | None = call.body
    if call.json is not None:
        headers["Content-Type"] = "application/json"
        data = msgspec.json.encode(call.json)
    elif call.files:
        boundary = secrets.token_hex(16)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        data = io.BytesIO(_multipart(call, boundary))
    elif call.form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        data = urlencode(call.form).encode()
    headers.update(call.headers)
    return headers, data


def _exchange_of(call: Call, attempt: _Attempt, outcome: str, seconds: float) -> Exchange:
    """A call as a record of tries keeps it: no header, which may be a credential, and of files only what they are."""
    if call.json is not None:
        told = msgspec.json.encode(call.json)
    else:
        pairs = [*call.query, *call.form, *((each.field, f"[{len(each.content)} bytes]") for each in call.files)]
        told = call.body or "\n".join(f"{name}={value}" for name, value in pairs).encode()
    reply = attempt.reply
    return Exchange(
        at=exchanges.now(),
        operation=call.operation,
        method=call.method,
        path=call.path,
        outcome=outcome,
        status=reply.status if reply else None,
        seconds=round(seconds, 4),
        sent=exchanges.cut(told),
        answered=exchanges.cut(reply.body) if reply else "",
    )


def _multipart(call: Call, boundary: str) -> bytes:
    """RFC 7578, in one piece: aiohttp makes an object with headers of its own of every field, and writes each apart."""
    parts = [(f'name="{_quoted(name)}"\r\n', value.encode()) for name, value in call.form]
    for file in call.files:
        told = f'name="{_quoted(file.field)}"; filename="{_quoted(file.name)}"\r\nContent-Type: {file.media_type}\r\n'
        parts.append((told, file.content))
    begin = f"--{boundary}\r\nContent-Disposition: form-data; "
    body = [piece for head, content in parts for piece in (f"{begin}{head}\r\n".encode(), content, b"\r\n")]
    return b"".join([*body, f"--{boundary}--\r\n".encode()])


def _quoted(name: str) -> str:
    """A name between quotation marks, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


async def _read(response: ClientResponse, limit: int) -> bytes:
    """The body, counted as it comes out of decompression. Raises _TooLarge before more than `limit` is held."""
    if (response.content_length or 0) > limit:
        raise _TooLarge
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > limit:
            raise _TooLarge
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _retry_after_s(value: str) -> float | None:
    """Retry-After as seconds from now (RFC 9110, 10.2.3), None where it is missing or unreadable."""
    if not value:
        return None
    try:
        seconds = float(value) if value.isdigit() else (_parse_date(value) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _parse_date(value: str) -> datetime:
    parsed = parsedate_to_datetime(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

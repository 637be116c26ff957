"""The only way out to an agency's system: one time budget per call, breaker, size caps, correlation id, its own places.

Says what is known of a call's effect: AgencyUnavailable (none), OutcomeUnknown (perhaps). What an answer means is
its integration's business.
"""

import asyncio
import io
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, NoReturn
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from app import exchanges
from app.agency_reads import note_allowance
from app.agency_wire import AddressRefused, Attempt, Connections, TooLarge, read_body
from app.backends.breaker import Breaker, Breakers, Pass, Shut
from app.backends.leases import Leases
from app.backends.pace import NoTurn, Pace
from app.backends.places import Places
from app.errors import AgencyUnavailable, OutcomeUnknown
from app.exchanges import Exchange
from app.ids import uuid7
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings
from app.storable import without_nul
from app.telemetry import request_id
from app.tracing import Nothing, Span, span
from app.waiting import outside

Observe = Callable[[str, str, str, float], None]
NotAsked = Literal["breaker_open", "busy", "rate"]
LONGEST_RETRY_AFTER_S = 3600.0
# Waiting for a place, for each place: more would only wait to be told that it was too long.
WAITING_FOR_EACH_PLACE = 32
# Retries are paid for by calls, so that all of them together stay within a tenth more.
RETRY_SHARE = 0.08
MOST_SAVED_RETRIES = 5.0
RETRY_PAUSE_S = 0.05


class FormFile(msgspec.Struct, frozen=True):
    """One file of a multipart form. `field` is the form's name for it, `name` the file's own."""

    field: str
    name: str
    media_type: str
    content: bytes


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `operation` names its policy in the manifest; `path` is below the backend's address, without query.

    At most one of `json`, `body` and `form` is set; `files` make the form multipart. `headers` win over our own.
    `is_fault`: whether an answer below 500 is a failure all the same: of something before the system, or unreadable.
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
    is_fault: "Callable[[Reply], bool] | None" = None


class Reply(msgspec.Struct, frozen=True):
    """A whole answer, of whatever status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of one process have in common. Without it a client goes by what it sees itself."""

    breakers: Breakers | None = None
    pace: Pace | None = None
    leases: Leases | None = None
    observe: Observe | None = None
    resolver: AbstractResolver | None = None


class AgencyClient:
    """Calls one backend. Connections are opened on the running loop by the first call."""

    def __init__(self, manifest: IntegrationManifest, backend: BackendSettings, shared: Shared | None = None) -> None:
        self.manifest = manifest
        self.backend = backend
        self._shared = shared or Shared()
        self._base = backend.url.rstrip("/")
        leases = self._shared.leases
        self._places = leases.of(backend.name, manifest) if leases else Places(manifest.concurrency)
        self._saved_retries = 1.0
        self._connections = Connections(manifest, backend, self._shared.resolver)
        self._breakers = _breakers(manifest, backend.name, self._shared.breakers)

    async def call(self, call: Call) -> Reply:
        """The backend's answer, whatever its HTTP status.

        Raises AgencyUnavailable where the call surely had no effect: not sent, a safe operation, or refused at the door
        (429, or 503 with Retry-After). Raises OutcomeUnknown where it may have had one: an unsafe operation was sent
        and no whole answer came, or a gateway (502, 503, 504) spoke in the backend's place.
        """
        policy = self.manifest.operations[call.operation]
        note_allowance(policy)
        trial = _Trial(call, policy, span(f"{self.backend.name} {call.operation}", "client"))
        started = time.perf_counter()
        outcome = "broken_off"
        try:
            reply = await self._bounded(trial)
            # A system that answers with its own failure is no healthy one, whatever its answer means for this call.
            failed = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (call.is_fault and call.is_fault(reply))
            outcome = "failed" if failed else "ok"
            return reply
        except AgencyUnavailable as error:
            outcome = "unavailable" if trial.passed else "not_asked"
            trial.asked_s = error.retry_after_s
            raise
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            seconds = time.perf_counter() - started
            breaker = self._breakers.get(call.operation)
            if breaker is not None and trial.passed:
                await _learn(breaker, trial, outcome)
            _tell(trial, self.backend.name, outcome)
            if self._shared.observe is not None:
                self._shared.observe(self.backend.name, call.operation, outcome, seconds)
            if exchanges.is_noted() and trial.passed:
                exchanges.note(_exchange_of(trial, outcome, seconds))

    async def close(self) -> None:
        """Close every connection. A later call opens them again."""
        await self._connections.close()

    async def _bounded(self, trial: "_Trial") -> Reply:
        """One deadline around everything: waiting for a place and a turn, DNS, connecting, sending, reading."""
        policy = trial.policy
        if self._places.is_full:
            self._refuse_crowd(trial)
        try:
            with outside():
                async with asyncio.timeout(policy.budget_s), self._places:
                    await self._enter(trial)
                    trial.reply = reply = await self._tried(trial)
        except TimeoutError:
            self._fail(trial, f"no whole answer within {policy.budget_s:g} s")
        except TooLarge:
            allowed = f"{policy.max_response_bytes} bytes or {policy.max_ratio} times what came"
            self._fail(trial, f"answer larger than {allowed}")
        except (aiohttp.ClientError, OSError) as error:
            # The class says what happened; the message may hold the address with its query.
            self._fail(trial, f"connection failed ({_kind_of(error)})")
        self._refuse_gateway(trial, reply)
        return reply

    def _refuse_crowd(self, trial: "_Trial") -> None:
        """More than could be served in time wait already, or nobody is let through: neither is waited for."""
        breaker = self._breakers.get(trial.call.operation)
        if breaker is not None and breaker.is_shut:
            raise self._not_asked(trial, "breaker_open", breaker.wait_s)
        if self._places.needed >= (1 + WAITING_FOR_EACH_PLACE) * self.manifest.concurrency:
            raise self._not_asked(trial, "busy", None)

    async def _enter(self, trial: "_Trial") -> None:
        """The breaker's leave, and a turn at the operation's rate."""
        operation, policy = trial.call.operation, trial.policy
        breaker = self._breakers.get(operation)
        passed: Pass = "free"
        if breaker is not None and not breaker.is_plain:
            try:
                passed = await breaker.enter()
            except Shut as shut:
                raise self._not_asked(trial, "breaker_open", shut.wait_s) from None
        if policy.per_second is not None and self._shared.pace is not None:
            try:
                await self._shared.pace.turn(f"{self.backend.name}.{operation}", policy.per_second, policy.budget_s)
            except NoTurn as none:
                if breaker is not None:
                    await breaker.step_back(passed)
                raise self._not_asked(trial, "rate", none.wait_s) from None
        trial.passed = passed

    async def _tried(self, trial: "_Trial") -> Reply:
        """Once; a safe call that broke or met a gateway a second time, where earlier calls have paid for it."""
        self._saved_retries = min(MOST_SAVED_RETRIES, self._saved_retries + RETRY_SHARE)
        left = trial.policy.retries if trial.policy.safe else 0
        while True:
            try:
                reply = await self._exchange(trial)
                if reply.status not in (502, 503, 504) or not self._may_retry(trial, left):
                    return reply
                if reply.headers.get("Retry-After"):
                    return reply
            except (aiohttp.ClientError, OSError) as error:
                if isinstance(error, TimeoutError) or not self._may_retry(trial, left):
                    raise
            left -= 1
            self._saved_retries -= 1
            await asyncio.sleep(RETRY_PAUSE_S * random.uniform(1, 2))  # noqa: S311 - jitter, not a secret

    def _may_retry(self, trial: "_Trial", left: int) -> bool:
        breaker = self._breakers.get(trial.call.operation)
        return left > 0 and self._saved_retries >= 1 and (breaker is None or breaker.failures < 2)

    async def _exchange(self, trial: "_Trial") -> Reply:
        call, policy = trial.call, trial.policy
        headers, data = _encode(call)
        if self.manifest.trace_context:
            headers |= trial.span.outgoing()
        response = await self._connections.session(safe=policy.safe).request(
            call.method,
            self._url(call.path),
            params=call.query or None,
            headers=headers,
            data=data,
            allow_redirects=False,
            trace_request_ctx=trial.attempt,
        )
        try:
            body = await read_body(response, policy)
        except BaseException:
            response.close()
            raise
        response.release()
        return Reply(response.status, response.headers, without_nul(body))

    def _url(self, path: str) -> URL:
        shown = path.lower().replace("%2e", ".") if "%" in path else path
        if not path.startswith("/") or "?" in path or "#" in path or "/.." in shown:
            raise ValueError(f"{self.backend.name}: a call's path begins with / and holds no query, fragment or /..")
        return URL(self._base + path)

    def _refuse_gateway(self, trial: "_Trial", reply: Reply) -> None:
        if reply.status not in (429, 502, 503, 504):
            return
        wait_s = _retry_after_s(reply.headers)
        detail = f"HTTP {reply.status}"
        at_the_door = reply.status == 429 or (reply.status == 503 and wait_s is not None)
        place = (self.backend.name, trial.call.operation, detail)
        refused: AgencyUnavailable | OutcomeUnknown = OutcomeUnknown(*place)
        if trial.policy.safe or at_the_door:
            refused = AgencyUnavailable(*place, retry_after_s=wait_s)
        refused.answered = reply.body
        raise refused

    def _fail(self, trial: "_Trial", detail: str) -> NoReturn:
        if trial.policy.safe or not trial.attempt.sent:
            raise AgencyUnavailable(self.backend.name, trial.call.operation, detail) from None
        raise OutcomeUnknown(self.backend.name, trial.call.operation, detail) from None

    def _not_asked(self, trial: "_Trial", code: NotAsked, wait_s: float | None) -> AgencyUnavailable:
        detail = f"not asked: {code}"
        return AgencyUnavailable(self.backend.name, trial.call.operation, detail, code=code, retry_after_s=wait_s)


class _Trial:
    """One call on its way. `passed` is "" until the breaker lets it through; `asked_s`: how long to be left alone;
    `reply`: the whole answer, where one came."""

    __slots__ = ("asked_s", "attempt", "call", "passed", "policy", "reply", "span")

    def __init__(self, call: Call, policy: OperationPolicy, told: Span | Nothing) -> None:
        self.call = call
        self.span = told
        self.policy = policy
        self.attempt = Attempt()
        self.passed: Pass | Literal[""] = ""
        self.asked_s: float | None = None
        self.reply: Reply | None = None


def _breakers(manifest: IntegrationManifest, backend: str, all_of_them: Breakers | None) -> dict[str, Breaker]:
    if all_of_them is None:
        return {}
    return {name: all_of_them.of(backend, name, policy) for name, policy in manifest.operations.items()}


async def _learn(breaker: Breaker, trial: _Trial, outcome: str) -> None:
    if not trial.passed:
        return
    if outcome == "ok":
        await breaker.answered(trial.passed)
    elif outcome == "broken_off":
        await breaker.step_back(trial.passed)
    else:
        await breaker.failed(trial.passed, trial.asked_s)


def _tell(trial: _Trial, backend: str, outcome: str) -> None:
    """Never the address called: ids of cases and people stand in it."""
    told: dict[str, str | int] = {"loket.backend": backend, "loket.operation": trial.call.operation}
    told |= {"loket.outcome": outcome, "loket.breaker": trial.passed or "shut"}
    if trial.reply is not None:
        told["http.response.status_code"] = trial.reply.status
    trial.span.note(told)
    trial.span.end("" if outcome == "ok" else outcome)


def _kind_of(error: Exception) -> str:
    """The class of what happened: an address that is not allowed is named, however deep it lies."""
    inner = getattr(error, "os_error", None)
    return type(inner if isinstance(inner, AddressRefused) else error).__name__


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


def _exchange_of(trial: _Trial, outcome: str, seconds: float) -> Exchange:
    """A call as a record of tries keeps it: no header, which may be a credential, and of files only what they are."""
    call, reply = trial.call, trial.reply
    if call.json is not None:
        told = msgspec.json.encode(call.json)
    else:
        pairs = [*call.query, *call.form, *((each.field, f"[{len(each.content)} bytes]") for each in call.files)]
        told = call.body or "\n".join(f"{name}={value}" for name, value in pairs).encode()
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


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After as seconds from now (RFC 9110, 10.2.3), None where it is missing or unreadable. A date is compared
    with the agency's own, whose clock may be another than ours."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value) if value.isdigit() else (_parse_date(value) - _their_now(headers)).total_seconds()
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _their_now(headers: Mapping[str, str]) -> datetime:
    try:
        return _parse_date(headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)


def _parse_date(value: str) -> datetime:
    parsed = parsedate_to_datetime(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

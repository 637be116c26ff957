"""Traces: what a request or a job did and how long each part of it took, for an OpenTelemetry collector.

Each notes its few parts while it runs, and only at its end it is known whether it is told: a drawn share, what a caller
traces already, whatever failed or was slow. Nothing of OpenTelemetry is imported here, and a part costs a microsecond.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, NamedTuple

import msgspec
from prometheus_client import Counter

Kind = Literal["internal", "server", "client", "consumer"]
Told = str | int | float | bool
# Why a trace is told.
Because = Literal["", "drawn", "asked", "failed", "slow"]

TRACES = Counter("loket_traces_total", "Requests and jobs told to the collector, or left out of it", ["because"])

MOST_SPANS = 64
# A second and process: what callers wish traced, and what failed or was slow. An outage, or somebody who marks every
# request, costs no more than this.
ASKED_PER_S = 10
LATE_PER_S = 5
LONGEST_STATE = 512
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/]{0,255}(@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}")
# A caller's own words are believed to be no person's as far as they hold no long number.
_LONG_NUMBER = re.compile(r"\d{9}")
_SAMPLED = 1


class Parent(NamedTuple):
    """The span of somebody else's that ours is a part of: `traceparent` and `tracestate` as W3C has them."""

    trace_id: int
    span_id: int
    is_sampled: bool
    state: str = ""


class Span:
    """One part of a trace, told when it has ended: use it in `with`, or `end` it."""

    __slots__ = ("_trace", "attributes", "ended_ns", "error", "id", "kind", "name", "started_ns")

    def __init__(self, trace: "Trace", name: str, kind: Kind) -> None:
        self._trace = trace
        self.name = name
        self.kind = kind
        self.id = 0
        self.error = ""
        self.ended_ns = 0
        self.attributes: dict[str, Told] = {}
        self.started_ns = time.time_ns()

    def note(self, attributes: Mapping[str, Told]) -> None:
        """Say more of it: never whose it is."""
        self.attributes.update(attributes)

    def reached(self, milestone: str) -> None:
        """Note how long it took until here, in milliseconds."""
        self.attributes[milestone] = round((time.time_ns() - self.started_ns) / 1e6, 3)

    def end(self, error: str = "") -> None:
        self.ended_ns = time.time_ns()
        self.error = error
        self._trace.keep(self)

    def outgoing(self) -> dict[str, str]:
        """Headers that make what is called a part of this."""
        if not self.id:
            self.id = new_id(64)
        return self._trace.headers_for(self.id)

    def __enter__(self) -> "Span":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            # Not a failure of this part: what runs inside of it may have refused something.
            self.attributes["loket.left_by"] = kind.__name__
        self.end()


class Nothing:
    """A span where nothing is traced."""

    __slots__ = ()

    def note(self, attributes: Mapping[str, Told]) -> None:
        pass

    def reached(self, milestone: str) -> None:
        pass

    def end(self, error: str = "") -> None:
        pass

    def outgoing(self) -> dict[str, str]:
        return {}

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        pass


NOTHING = Nothing()


class Trace:
    """This process's part of a trace: a request or a job, and what it did."""

    __slots__ = (
        *("__weakref__", "_id", "attributes", "because", "ended_ns", "error", "is_over", "kind"),
        *("name", "parent", "span_id", "spans", "started_ns"),
    )

    def __init__(self, parent: Parent | None, because: Because, kind: Kind) -> None:
        self.parent = parent
        self.because = because
        self.kind = kind
        self.name = ""
        self.error = ""
        self.ended_ns = 0
        self.span_id = 0
        self.spans: list[Span] = []
        self.attributes: dict[str, Told] = {}
        self._id = parent.trace_id if parent else 0
        self.is_over = False
        self.started_ns = time.time_ns()

    @property
    def id(self) -> int:
        """Made when somebody asks for it, which for most is never."""
        if not self._id:
            self._id = new_id(128)
        return self._id

    @property
    def shown_id(self) -> str:
        """For log lines: "" where nobody could find a trace of that id anywhere."""
        return f"{self.id:032x}" if self.because or self.parent else ""

    @property
    def is_full(self) -> bool:
        return self.is_over or len(self.spans) >= MOST_SPANS

    def keep(self, span: Span) -> None:
        if not self.is_full:
            self.spans.append(span)

    def end(self) -> None:
        """What still runs on, as a stream's reader does, belongs to it no more."""
        self.is_over = True
        self.ended_ns = time.time_ns()

    def forget(self) -> None:
        """It is not told. Its parts point back at it, and would wait for the cyclic collector."""
        self.is_over = True
        self.spans.clear()

    def headers_for(self, span_id: int) -> dict[str, str]:
        headers = {"traceparent": f"00-{self.id:032x}-{span_id:016x}-{int(bool(self.because)):02x}"}
        if self.parent and self.parent.state:
            headers["tracestate"] = self.parent.state
        return headers

    def headers(self) -> dict[str, str]:
        """The same for what is begun by the request or job itself."""
        if not self.span_id:
            self.span_id = new_id(64)
        return self.headers_for(self.span_id)


current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def span(name: str, kind: Kind = "internal") -> Span | Nothing:
    """A part of what runs now begins."""
    trace = current.get()
    return NOTHING if trace is None or trace.is_full else Span(trace, name, kind)


def note(attributes: Mapping[str, Told]) -> None:
    """Say more of the request or job that runs now: never whose it is."""
    trace = current.get()
    if trace is not None and not trace.is_over:
        trace.attributes.update(attributes)


def note_failure(reason: str) -> None:
    """The request or job that runs now has failed, whatever it ends with: `reason` is a word of ours."""
    trace = current.get()
    if trace is not None:
        trace.error = reason


def job_headers() -> str:
    """What a job begun now is to be enqueued with, as JSON: a part of this trace, where that is told."""
    trace = current.get()
    if trace is None or not trace.because:
        return "null"
    return msgspec.json.encode({"otel": trace.headers()}).decode()


class Tracing:
    """Begins and ends this process's traces. `offer` takes those that are told, at once; `close` ends the telling."""

    def __init__(self, ratio: float, slow_s: float, offer: Callable[[Trace], None], close: Callable[[], None]) -> None:
        self._ratio = ratio
        self._slow_s = slow_s
        self._offer = offer
        self.close = close
        self._asked = Budget(ASKED_PER_S)
        self._late = Budget(LATE_PER_S)

    def begin(self, traceparent: str, tracestate: str, kind: Kind) -> Trace:
        """A request or a job begins, a part of what its caller says or by itself."""
        parent = read_parent(traceparent, tracestate) if traceparent else None
        return Trace(parent, self._begin(parent), kind)

    def is_told(self, trace: Trace, *, failed: bool, seconds: float) -> bool:
        """Whether it is, now that it ends: what failed or was slow is told too, as far as the budget goes."""
        if not trace.because and (failed or seconds >= self._slow_s):
            if self._late.take():
                trace.because = "failed" if failed else "slow"
            else:
                TRACES.labels("left_out").inc()
        if not trace.because:
            trace.forget()
        return trace.because != ""

    def tell(self, trace: Trace) -> None:
        trace.end()
        trace.attributes["loket.told_because"] = trace.because
        TRACES.labels(trace.because).inc()
        self._offer(trace)

    def _begin(self, parent: Parent | None) -> Because:
        if parent is not None:
            if not parent.is_sampled:
                return ""
            if self._asked.take():
                return "asked"
        return "drawn" if random.random() < self._ratio else ""  # noqa: S311 - a sample, not a secret


class Budget:
    """So many a second, none saved for later."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._left = per_second

    def take(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._left = second, self._per_second
        self._left -= 1
        return self._left >= 0


def read_parent(traceparent: str, tracestate: str = "") -> Parent | None:
    """What a caller says it is (W3C Trace Context, level 1); None where it says nothing that can be understood."""
    found = _PARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED), read_state(tracestate))


def read_state(tracestate: str) -> str:
    """The callers' own words, to be handed on as they are; "" for what is not well-formed, or too long a number."""
    members = [member.strip() for member in tracestate.split(",") if member.strip()]
    if len(tracestate) > LONGEST_STATE or len(members) > 32 or _LONG_NUMBER.search(tracestate):
        return ""
    return ",".join(members) if all(_MEMBER.fullmatch(member) for member in members) else ""


def new_id(bits: int) -> int:
    """Never zero, which means none."""
    return random.getrandbits(bits) or 1

"""Traces on their way to an OpenTelemetry collector, by OTLP over HTTP, from a thread of their own.

Imported only where a collector is named: OpenTelemetry, protobuf and requests together take a fifth of a second.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from prometheus_client import Counter

from app.tracing import Kind, Span, Trace, new_id

log = logging.getLogger("loket.traces")

SPANS = Counter("loket_spans_total", "Spans by what became of them: sent, refused by the collector, dropped", ["fate"])

# Traces. More would only wait for a collector that does not take them.
MOST_WAITING = 2048
BATCH = 128
GATHER_S = 1.0
# A collector that hangs holds up the end of a process no longer than this.
LAST_PATIENCE_S = 2.0
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_SCOPE = InstrumentationScope("loket")
_FLAGS = TraceFlags(TraceFlags.SAMPLED)


class Collector:
    """Takes traces without making anybody wait, and sends them a few at a time; what it cannot keep is counted."""

    def __init__(self, url: str, resource: dict[str, str]) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces")
        self._resource = Resource.create({**resource, "process.pid": os.getpid()})
        self._waiting: deque[Trace] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def offer(self, trace: Trace) -> None:
        """Have it sent; dropped where too many wait."""
        if self._closing or len(self._waiting) >= MOST_WAITING:
            SPANS.labels("dropped").inc(1 + len(trace.spans))
            return
        self._waiting.append(trace)
        if len(self._waiting) == BATCH:
            self._wake.set()

    def close(self) -> None:
        """Send what waits, for a moment. Blocks: not for an event loop."""
        self._closing = True
        self._wake.set()
        self._thread.join(LAST_PATIENCE_S)
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # the library's
        # Where it only waited to try once more, it ends now.
        self._thread.join(LAST_PATIENCE_S / 4)
        if left := sum(1 + len(trace.spans) for trace in self._take(MOST_WAITING)):
            SPANS.labels("dropped").inc(left)
            log.warning("%d spans were not taken by the collector in time", left)

    def _run(self) -> None:
        while not self._closing or self._waiting:
            self._wake.wait(GATHER_S)
            self._wake.clear()
            while self._waiting:
                self._send(self._take(BATCH))

    def _take(self, most: int) -> list[Trace]:
        taken: list[Trace] = []
        with suppress(IndexError):
            while len(taken) < most:
                taken.append(self._waiting.popleft())
        return taken

    def _send(self, traces: Sequence[Trace]) -> None:
        spans = [span for trace in traces for span in spans_of(trace, self._resource)]
        try:
            failed = self._exporter.export(spans) is not SpanExportResult.SUCCESS
        except Exception:
            # Whatever it was: traces go on with the next ones, or without.
            log.exception("traces could not be sent")
            failed = True
        SPANS.labels("refused" if failed else "sent").inc(len(spans))
        if failed != self._failing:
            self._failing = failed
            log.warning("the collector takes no traces" if failed else "the collector takes traces again")


def spans_of(trace: Trace, resource: Resource) -> Iterator[ReadableSpan]:
    """A trace as OpenTelemetry has it: its own span, and its parts below."""
    parent = trace.parent
    state = TraceState.from_header([parent.state]) if parent and parent.state else TraceState()
    above = SpanContext(trace.id, parent.span_id, is_remote=True, trace_flags=_FLAGS) if parent else None
    own = SpanContext(trace.id, trace.span_id or new_id(64), False, _FLAGS, state)
    yield _readable(trace, own, above, resource)
    for part in tuple(trace.spans):
        yield _readable(part, SpanContext(trace.id, part.id or new_id(64), False, _FLAGS, state), own, resource)


def _readable(told: Trace | Span, own: SpanContext, above: SpanContext | None, resource: Resource) -> ReadableSpan:
    attributes = {**told.attributes, "error.type": told.error} if told.error else told.attributes
    return ReadableSpan(
        told.name,
        own,
        above,
        resource,
        attributes,
        kind=_KINDS[told.kind],
        status=Status(StatusCode.ERROR) if told.error else Status(),
        start_time=told.started_ns,
        end_time=told.ended_ns,
        instrumentation_scope=_SCOPE,
    )

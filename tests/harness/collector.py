"""An OpenTelemetry collector as small as it can be: takes traces by OTLP over HTTP, and keeps them to be looked at."""

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATIENCE_S = 60.0


class Seen(msgspec.Struct, frozen=True):
    """One span as it arrived. Ids are hexadecimal; `parent` is "" for a trace's first."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    state: str
    failed: bool
    seconds: float
    attributes: Mapping[str, object]


class Collected:
    """What has arrived: `spans` read, `raw` byte by byte. While `hangs` is set no answer is given."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Seen] = []
        self.raw = bytearray()
        self.hangs = threading.Event()
        self.ends = threading.Event()
        self.asked = threading.Event()

    def wait_for(self, wanted: Callable[[list[Seen]], bool], patience_s: float = PATIENCE_S) -> list[Seen]:
        """All spans, as soon as they are as `wanted`. Raises AssertionError where they never are."""
        until = time.monotonic() + patience_s
        while not wanted(found := list(self.spans)):
            assert time.monotonic() < until, "\n".join(f"{each.service} {each.name} {each.trace}" for each in found)
            time.sleep(0.05)
        return found

    def take(self, body: bytes) -> None:
        """One request's spans."""
        self.raw += body + b"\n"
        told = ExportTraceServiceRequest.FromString(body)
        for resource in told.resource_spans:
            service = str(_read(resource.resource.attributes)["service.name"])
            for scope in resource.scope_spans:
                self.spans += [_seen(service, span) for span in scope.spans]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collected]:
    """A collector on a port of this machine, in threads of its own, while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.collected = Collected(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="collector", daemon=True)
    thread.start()
    try:
        yield server.collected  # type: ignore[attr-defined]
    finally:
        server.collected.ends.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        collected: Collected = self.server.collected  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces", self.path
        collected.asked.set()
        if collected.hangs.is_set():
            collected.ends.wait(PATIENCE_S)
            return
        collected.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _seen(service: str, span: Span) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        state=span.trace_state,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        attributes=_read(span.attributes),
    )


def _read(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in attributes}

"""Traces: which are told, whom they belong to, and that nobody waits for the collector."""

import gc
import logging
import time
import weakref
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

import pytest
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.agency_client import AgencyClient, Call
from app.assembly import open_tracing
from app.collector import LAST_PATIENCE_S, MOST_WAITING, SPANS
from app.errors import OutcomeUnknown
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings, Settings, SettingsError, read_settings
from app.telemetry import Telemetry
from app.tracing import (
    ASKED_PER_S,
    LATE_PER_S,
    MOST_SPANS,
    Parent,
    Trace,
    Tracing,
    current,
    job_headers,
    read_parent,
    span,
)
from tests.harness.collector import collecting
from tests.harness.listener import answering as failing_with
from tests.harness.listener import listening
from tests.harness.product import free_port

# A status that stands for an exception nobody catches.
FALLS = 0
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED = f"00-{TRACE}-{PARENT}-01"


class Kept:
    """A Tracing whose traces stay here."""

    def __init__(self, ratio: float = 0.0, slow_s: float = 1.0) -> None:
        self.told: list[Trace] = []
        self.tracing = Tracing(ratio, slow_s, self.told.append, lambda: None)

    def run(self, traceparent: str = "", *, failed: bool = False, seconds: float = 0.0) -> Trace:
        trace = self.tracing.begin(traceparent, "", "server")
        if self.tracing.is_told(trace, failed=failed, seconds=seconds):
            self.tracing.tell(trace)
        return trace


@contextmanager
def running(trace: Trace) -> Iterator[None]:
    token = current.set(trace)
    try:
        yield
    finally:
        current.reset(token)


@pytest.mark.parametrize(
    "said",
    [
        *("", "00", f"00-{TRACE}-{PARENT}", f"00-{TRACE}-{PARENT}-01-more", f"ff-{TRACE}-{PARENT}-01"),
        *(f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{PARENT}-01"),
        *(f"00-{TRACE}-{PARENT}-1", f" {ASKED}", f"{ASKED}\n", f"00_{TRACE}_{PARENT}_01", f"00-{TRACE}-{PARENT}-0g"),
    ],
)
def test_what_cannot_be_understood_is_no_parent(said: str) -> None:
    assert read_parent(said) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    parent = read_parent(f"cc-{TRACE}-{PARENT}-01-what-comes-later")
    assert parent is not None
    assert (f"{parent.trace_id:032x}", f"{parent.span_id:016x}", parent.is_sampled) == (TRACE, PARENT, True)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("congo=t61rcWkgMzE, rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        ("tenant@vendor=x", "tenant@vendor=x"),
        ("nik=3571024505909001", ""),
        ("a=" + "b" * 600, ""),
        ("no members", ""),
        ("a=b\r\nx: y", ""),
        (",".join(f"k{number}=v" for number in range(33)), ""),
    ],
)
def test_callers_own_words_are_handed_on_only_where_they_are_well_formed(said: str, kept: str) -> None:
    parent = read_parent(ASKED, said)
    assert parent is not None
    assert parent.state == kept


def test_a_share_is_drawn() -> None:
    kept = Kept(ratio=0.2)
    for _ in range(2000):
        kept.run()
    assert 250 < len(kept.told) < 550
    assert {each.because for each in kept.told} == {"drawn"}
    assert len({each.id for each in kept.told}) == len(kept.told)


def test_what_a_caller_traces_is_traced_as_far_as_it_is_not_abused() -> None:
    kept = Kept()
    for _ in range(ASKED_PER_S * 5):
        kept.run(ASKED)
    # Two seconds at most, on however slow a machine that is: the clock's second may turn once in so short a time.
    assert ASKED_PER_S <= len(kept.told) <= ASKED_PER_S * 2
    assert {(f"{each.id:032x}", each.because) for each in kept.told} == {(TRACE, "asked")}


def test_what_a_caller_does_not_trace_is_not_traced_unless_it_fails() -> None:
    kept = Kept(ratio=1.0)
    kept.run(f"00-{TRACE}-{PARENT}-00")
    assert kept.told == []
    kept.run(f"00-{TRACE}-{PARENT}-00", failed=True)
    assert [each.because for each in kept.told] == ["failed"]


def test_what_failed_or_was_slow_is_told_with_its_parts_as_far_as_the_budget_goes() -> None:
    kept = Kept(slow_s=0.5)
    trace = kept.tracing.begin("", "", "server")
    with running(trace), span("postgresql", "client"):
        pass
    assert kept.tracing.is_told(trace, failed=False, seconds=0.6)
    assert (trace.because, [each.name for each in trace.spans]) == ("slow", ["postgresql"])
    for _ in range(LATE_PER_S * 5):
        kept.run(failed=True)
    assert LATE_PER_S - 1 <= len(kept.told) <= LATE_PER_S * 2
    kept.run(seconds=0.1)
    assert kept.told[-1].because == "failed"


def test_a_trace_has_its_bounds() -> None:
    trace = Kept(ratio=1.0).run()
    with running(trace), span("what a stream does after its end"):
        pass
    assert trace.spans == []
    trace = Kept().tracing.begin("", "", "server")
    with running(trace):
        for _ in range(MOST_SPANS * 2):
            span("again").end()
    assert len(trace.spans) == MOST_SPANS


def test_what_is_not_told_is_gone_at_once() -> None:
    """99 of a hundred: left to the cyclic collector they would be walked over again and again."""
    kept = Kept()
    trace = kept.tracing.begin("", "", "server")
    with running(trace), span("postgresql", "client"):
        pass
    part = weakref.ref(trace)
    assert not kept.tracing.is_told(trace, failed=False, seconds=0)
    gc.disable()
    try:
        del trace
        assert part() is None
    finally:
        gc.enable()


def test_only_a_trace_that_is_told_goes_with_a_job() -> None:
    assert job_headers() == "null"
    with running(Kept(ratio=0.0).tracing.begin("", "", "server")):
        assert job_headers() == "null"
    with running(Kept(ratio=1.0).tracing.begin("", "", "server")) as _, span("x"):
        assert '"traceparent":"00-' in job_headers()


def answering(status: int) -> ASGIApp:
    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["path_template"] = "/v1/things/{thing_id}"
        with span("postgresql", "client"):
            pass
        if status == FALLS:
            raise RuntimeError
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


async def ask(app: ASGIApp, kept: Kept, **headers: str) -> None:
    scope: Any = {"type": "http", "method": "GET", "path": "/v1/things/3571024505909001", "query_string": b"nik=1"}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        pass

    with suppress(RuntimeError):
        await Telemetry(app, Settings(log_level="warning"), kept.tracing)(scope, receive, send)


@pytest.mark.parametrize(("status", "because"), [(200, None), (404, None), (503, "failed"), (FALLS, "failed")])
async def test_a_request_is_told_by_its_route_and_status_alone(status: int, because: str | None) -> None:
    kept = Kept()
    await ask(answering(status), kept)
    assert current.get() is None
    if because is None:
        assert kept.told == []
        return
    [trace] = kept.told
    shown = 500 if status == FALLS else status
    assert (trace.name, trace.kind, trace.error) == ("GET /v1/things/{thing_id}", "server", str(shown))
    assert trace.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/things/{thing_id}",
        "http.response.status_code": shown,
        "loket.told_because": because,
    }
    assert [each.name for each in trace.spans] == ["postgresql"]


async def test_a_request_goes_on_with_its_callers_trace() -> None:
    kept = Kept()
    await ask(answering(200), kept, traceparent=ASKED, tracestate="portal=a1")
    [trace] = kept.told
    assert trace.parent == Parent(int(TRACE, 16), int(PARENT, 16), True, "portal=a1")


@pytest.mark.parametrize("agrees", [False, True])
async def test_an_agency_learns_of_our_traces_only_where_its_manifest_says_so(*, agrees: bool) -> None:
    operations = {"write": OperationPolicy(budget_s=10.0)}
    manifest = IntegrationManifest(
        name="agency",
        title="Agency",
        agency="agency",
        serves=[],
        protocol="test",
        trace_context=agrees,
        operations=operations,
    )
    trace = Kept(ratio=1.0).tracing.begin("", "", "server")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(listening(failing_with("503 Service Unavailable")))
        client = AgencyClient(manifest, BackendSettings("agency", f"http://127.0.0.1:{server.port}", {}))
        stack.push_async_callback(client.close)
        with running(trace), pytest.raises(OutcomeUnknown):
            await client.call(Call(operation="write", path="/3571024505909001", method="POST"))
    [call] = trace.spans
    assert (call.name, call.error) == ("agency write", "unknown")
    assert call.attributes == {
        "loket.backend": "agency",
        "loket.operation": "write",
        "loket.outcome": "unknown",
        "loket.breaker": "free",
        "http.response.status_code": 503,
    }
    sent = [line for line in server.requests[0].split(b"\r\n") if line.lower().startswith(b"trace")]
    assert sent == ([f"traceparent: 00-{trace.id:032x}-{call.id:016x}-01".encode()] if agrees else [])


def test_settings() -> None:
    assert open_tracing(Settings(), "test") is None
    assert read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}).otlp_url == "http://collector:4318"
    both = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "LOKET_OTLP_URL": "https://ours"}
    assert read_settings(both).otlp_url == "https://ours"
    for name, value in (("OTLP_URL", "collector:4318"), ("TRACE_RATIO", "1.5"), ("TRACE_SLOW_S", "-1")):
        with pytest.raises(SettingsError):
            read_settings({f"LOKET_{name}": value})


def opened(url: str) -> Tracing:
    tracing = open_tracing(Settings(otlp_url=url, trace_ratio=1.0), "test")
    assert tracing is not None
    return tracing


def tell(tracing: Tracing, parent: str = "", state: str = "") -> Trace:
    trace = tracing.begin(parent, state, "server")
    trace.name = "GET /v1/things"
    with running(trace), span("postgresql", "client") as part:
        part.note({"loket.pool_wait_ms": 1.5})
    assert tracing.is_told(trace, failed=False, seconds=0)
    tracing.tell(trace)
    return trace


def fate(name: str) -> float:
    return float(SPANS.labels(name)._value.get())


def test_what_waits_is_sent_at_the_end() -> None:
    with collecting() as collected:
        tracing = opened(collected.url)
        trace = tell(tracing, ASKED, "congo=t61rcWkgMzE")
        tracing.close()
        own, part = collected.spans
    assert (own.service, own.name, own.kind, own.trace, own.parent) == (
        *("loket-test", "GET /v1/things", "server", TRACE, PARENT),
    )
    assert (part.name, part.kind, part.trace, part.parent) == ("postgresql", "client", TRACE, own.id)
    assert own.state == part.state == "congo=t61rcWkgMzE"
    assert part.attributes == {"loket.pool_wait_ms": 1.5}
    assert own.attributes == {"loket.told_because": "asked"}
    assert trace.id == int(own.trace, 16)


def test_a_collector_that_is_away_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    refused = fate("refused") + fate("dropped")
    tracing = opened(f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING, "loket.traces"):
        tell(tracing)
        tracing.close()
    assert fate("refused") + fate("dropped") == refused + 2
    assert caplog.messages != []


def test_one_that_hangs_holds_up_neither_a_request_nor_the_end() -> None:
    dropped = fate("dropped")
    with collecting() as collected:
        collected.hangs.set()
        tracing = opened(collected.url)
        tell(tracing)
        assert collected.asked.wait(30)
        for _ in range(MOST_WAITING + 100):
            tell(tracing)
        began = time.monotonic()
        tracing.close()
        took_s = time.monotonic() - began
    assert fate("dropped") == dropped + 2 * (MOST_WAITING + 100)
    assert took_s < LAST_PATIENCE_S + 20
    assert collected.spans == []


def test_one_that_comes_back_is_told_what_happens_from_then_on() -> None:
    port = free_port()
    tracing = opened(f"http://127.0.0.1:{port}")
    before = fate("refused")
    tell(tracing)
    with collecting(port) as collected:
        # The exporter tries again by itself for some seconds; what it gave up on is counted.
        until = time.monotonic() + 60
        while not collected.spans and time.monotonic() < until:
            tell(tracing)
            time.sleep(0.2)
        assert collected.spans
        tracing.close()
    assert fate("refused") >= before

"""The last net under every log line, and whose address a request is counted under."""

import asyncio
import io
import json
import logging
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.types import HTTPReceiveMessage, Message, Receive, Scope, Send

from app.settings import Settings
from app.telemetry import SECONDS, Telemetry, configure_logs, mask_text, trusted_networks

NIK = "3571024505909001"
PHONE = "+6281290019001"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        (f"NIK {NIK} tidak ada", "NIK [nik] tidak ada"),
        (f"nik={NIK},phone={PHONE}", "nik=[nik],phone=[phone]"),
        ("telepon 081290019001.", "telepon [phone]."),
        ("telepon 6281290019001.", "telepon [phone]."),
        (f"Bearer {TOKEN}", "Bearer [token]"),
        (f'{{"nik":"{NIK}"}}', '{"nik":"[nik]"}'),
        ("kasus 3571-26-0000123-4, 17 digit 35710245059090011", "kasus 3571-26-0000123-4, 17 digit 35710245059090011"),
        ("0192f5d0c0de70008000000000000000", "0192f5d0c0de70008000000000000000"),
    ],
)
def test_masking(said: str, masked: str) -> None:
    assert mask_text(said) == masked


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_nik_comes_through_whatever_stands_around_it(before: str, after: str) -> None:
    line = f"{before} {NIK} {after}"
    assert NIK not in mask_text(line)
    assert mask_text(mask_text(line)) == mask_text(line)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Log as the product does, into memory; the lines."""
    written = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stdout", written)
    configure_logs("debug")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


def test_arguments_and_tracebacks_are_masked(logged: Any) -> None:
    log = logging.getLogger("test.masking")
    log.warning("person %s at %s", NIK, PHONE)
    try:
        raise ValueError(f"no such person {NIK}")
    except ValueError:
        log.exception("failed for %s", TOKEN)
    first, second = logged()
    assert first["event"] == "person [nik] at [phone]"
    assert second["event"] == "failed for [token]"
    assert "no such person [nik]" in second["exception"]
    assert NIK not in json.dumps([first, second])


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        trusted_networks("10.0.0.0/8, my-proxy")


async def test_a_stream_is_no_slow_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was answered when it began, however long somebody listens: else every open app would wake an operator."""
    open_s = 0.6

    async def stream(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(open_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(_: Message) -> None:
        pass

    async def receive() -> HTTPReceiveMessage:
        raise AssertionError("nobody reads")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "path_template": "/listened-to"}
    telemetry = Telemetry(stream, Settings(log_level="warning"))
    await telemetry(cast("Scope", scope), receive, send)
    [seconds] = [
        sample.value
        for metric in SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_sum") and sample.labels["route"] == "/listened-to"
    ]
    assert 0 < seconds < open_s / 2

"""Metrics for operators: off unless asked for, on a port of their own, one for each process."""

import socket
from collections.abc import Callable

import httpx
import pytest

from app.metrics import PORTS, serve_metrics
from app.settings import Settings
from tests.harness.product import Running, free_port


def taken(port: int) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    held.listen()
    return held


def test_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something was served")

    monkeypatch.setattr("app.metrics.start_http_server", refuse)
    serve_metrics(Settings())


def test_the_next_free_port_where_another_process_has_it() -> None:
    port = free_port()
    with taken(port):
        serve_metrics(Settings(metrics_port=port))
        served = [at for at in range(port + 1, port + PORTS) if answers(at)]
    assert served


def answers(port: int) -> bool:
    try:
        return "loket_" in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return False


def test_the_api_serves_its_own(start_process: Callable[..., Running], environment: dict[str, str]) -> None:
    port = free_port()
    api = start_process("serve", LOKET_METRICS_PORT=str(port))
    api.wait_for("Uvicorn running")
    httpx.get(f"http://127.0.0.1:{environment['LOKET_PORT']}/v1/services", timeout=30)
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    assert 'loket_requests_total{method="GET",route="/v1/services",status="200"} 1.0' in told
    assert "loket_request_seconds_bucket" in told
    assert httpx.get(f"http://127.0.0.1:{environment['LOKET_PORT']}/metrics", timeout=30).status_code == 404

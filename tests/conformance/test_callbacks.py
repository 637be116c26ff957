"""Every integration whose backend calls us: what it sends is understood, and nothing else is believed."""

from pathlib import Path

import pytest

from app.callbacks.port import LONGEST, MOST_TIDINGS, Callbacks, Incoming, NotProven, Unreadable
from app.database import utc_now
from app.discovery import callbacks_type, sandbox_classes
from app.sandbox.ledger import FileLedger
from app.sandbox.port import Sending
from app.settings import BackendSettings
from tests.conformance.folders import INTEGRATIONS, integration_manifest

pytestmark = [pytest.mark.tree, pytest.mark.parametrize("name", INTEGRATIONS)]
REFERENCE = "80367170"


def reader(name: str, **credentials: str) -> Callbacks | None:
    kind = callbacks_type(name)
    given = {**integration_manifest(name).credentials, **credentials}
    return kind(BackendSettings(name, "http://127.0.0.1", given)) if kind else None


def sent(name: str, tmp_path: Path, status: str = "sent") -> Sending | None:
    sandbox = sandbox_classes()[name](FileLedger(tmp_path / "ledger.jsonl"))
    return sandbox.callback(REFERENCE, status)


def incoming(sending: Sending, body: bytes | None = None, **query: str) -> Incoming:
    asked = dict(pair.split("=", 1) for pair in sending.suffix.removeprefix("?").split("&") if "=" in pair)
    headers = {key.lower(): value for key, value in sending.headers.items()}
    return Incoming({**asked, **query}, headers, sending.body if body is None else body, utc_now())


def test_a_sandbox_calls_exactly_where_calls_are_taken(name: str, tmp_path: Path) -> None:
    assert (reader(name) is None) == (sent(name, tmp_path) is None)


def test_what_it_sends_is_understood(name: str, tmp_path: Path) -> None:
    port, first, other = reader(name), sent(name, tmp_path), sent(name, tmp_path, "failed")
    if port is None or first is None or other is None:
        return
    [tiding] = port.read(incoming(first))
    assert tiding.reference == REFERENCE
    assert port.read(incoming(first)) == [tiding]
    assert port.read(incoming(other)) != [tiding]
    assert len(tiding.sign) <= LONGEST
    assert len(port.read(incoming(first))) <= MOST_TIDINGS


def test_with_another_secret_nothing_is_proven(name: str, tmp_path: Path) -> None:
    first = sent(name, tmp_path)
    if first is None:
        return
    for secret in ("", "something else"):
        port = reader(name, **dict.fromkeys(integration_manifest(name).credentials, secret))
        assert port is not None
        with pytest.raises(NotProven):
            port.read(incoming(first))


def test_a_changed_body_is_not_proven_where_calls_are_signed(name: str, tmp_path: Path) -> None:
    port, first = reader(name), sent(name, tmp_path)
    if port is None or first is None:
        return
    unlike = [b"", b"{}", first.body[:-1], b"\xff" * 50, b"[" * 5000, b'{"id": {}, "number": []}']
    for body in [*unlike, first.body + b" "] if port.signed else unlike:
        with pytest.raises(NotProven if port.signed else Unreadable):
            port.read(incoming(first, body))


def test_without_anything_nothing_is_proven(name: str, tmp_path: Path) -> None:
    port, first = reader(name), sent(name, tmp_path)
    if port is None or first is None:
        return
    with pytest.raises(NotProven):
        port.read(Incoming({}, {}, first.body, utc_now()))


def test_who_calls_about_cases_can_be_asked(name: str, tmp_path: Path) -> None:
    """A callback only has us ask: somebody must be there who asks."""
    port, first = reader(name), sent(name, tmp_path)
    if port is None or first is None:
        return
    about = {tiding.about for tiding in port.read(incoming(first))}
    assert "case" not in about or integration_manifest(name).poll is not None

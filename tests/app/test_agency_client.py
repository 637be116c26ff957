"""The way out, over real sockets against servers that answer badly on purpose."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.agency_client import AgencyClient, Call, FormFile, Observe, Shared
from app.errors import AgencyError, AgencyUnavailable, OutcomeUnknown
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings
from app.telemetry import request_id
from tests.harness.listener import Behaviour, Server, answering, listening

PATIENT_S = 10.0  # where an answer comes: also on a machine that is busy with something else
BUDGET_S = 0.6  # where none comes, and the test waits for the end of it
LATE_S = 3.0  # how much later a busy machine may notice
READ = Call(operation="read", path="/thing", query=[("nik", "3571024505909001")])
WRITE = Call(operation="write", path="/thing", method="POST", form=[("nik", "3571024505909001")])
UNSAFE_GET = Call(operation="write", path="/thing")


async def never(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    raise ConnectionResetError


async def half_an_answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status":')
    await writer.drain()
    raise ConnectionResetError


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


def client_for(
    port: int,
    *,
    concurrency: int = 4,
    scheme: str = "http",
    budget_s: float = PATIENT_S,
    observe: Observe | None = None,
) -> AgencyClient:
    manifest = IntegrationManifest(
        name="agency",
        title="Agency",
        agency="agency",
        serves=[],
        protocol="test",
        concurrency=concurrency,
        operations={
            "read": OperationPolicy(safe=True, budget_s=budget_s, max_response_bytes=10_000),
            "write": OperationPolicy(budget_s=budget_s, max_response_bytes=10_000),
            "brief": OperationPolicy(budget_s=budget_s / 3, max_response_bytes=10_000),
        },
    )
    backend = BackendSettings("agency", f"{scheme}://127.0.0.1:{port}", {"token": "s3cret-token"})
    return AgencyClient(manifest, backend, Shared(observe=observe))


@asynccontextmanager
async def calling(
    behave: Behaviour, *, concurrency: int = 4, budget_s: float = PATIENT_S
) -> AsyncIterator[tuple[AgencyClient, Server]]:
    async with listening(behave) as server:
        client = client_for(server.port, concurrency=concurrency, budget_s=budget_s)
        try:
            yield client, server
        finally:
            await client.close()


async def closed_port() -> int:
    listener = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port: int = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return port


async def test_answer_of_any_status_is_a_reply() -> None:
    for status in ("200 OK", "404 Not Found", "400 Bad Request", "500 Internal Server Error", "302 Found"):
        async with calling(answering(status, b'{"a":1}', "Location: /elsewhere\r\n")) as (client, server):
            for call in (READ, WRITE):
                reply = await client.call(call)
                assert (reply.status, reply.body) == (int(status[:3]), b'{"a":1}')
            assert len(server.requests) == 2, "a redirect was followed"


async def test_carries_the_correlation_id_of_the_request() -> None:
    token = request_id.set("trail-0123456789")
    try:
        async with calling(answering()) as (client, server):
            await client.call(READ)
            assert b"X-Request-ID: trail-0123456789" in server.requests[0]
    finally:
        request_id.reset(token)


async def test_makes_a_correlation_id_where_there_is_none() -> None:
    async with calling(answering()) as (client, server):
        await client.call(READ)
        await client.call(READ)
    ids = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"X-Request-ID")]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("call", [READ, WRITE, UNSAFE_GET], ids=["read", "write", "unsafe get"])
async def test_refused_connection_had_no_effect(call: Call) -> None:
    client = client_for(await closed_port())
    with pytest.raises(AgencyUnavailable):
        await client.call(call)
    await client.close()


async def test_unknown_host_had_no_effect() -> None:
    client = client_for(80)
    client._base = "http://no-such-agency.invalid"
    with pytest.raises(AgencyUnavailable):
        await client.call(WRITE)
    await client.close()


@pytest.mark.parametrize("behave", [never, hang_up, half_an_answer, dripping], ids=["hang", "reset", "cut", "drip"])
@pytest.mark.parametrize(
    ("call", "expected"),
    [(READ, AgencyUnavailable), (WRITE, OutcomeUnknown), (UNSAFE_GET, OutcomeUnknown)],
    ids=["read", "write", "unsafe get"],
)
async def test_no_whole_answer(behave: Behaviour, call: Call, expected: type[AgencyError]) -> None:
    async with calling(behave, budget_s=BUDGET_S) as (client, server):
        started = asyncio.get_running_loop().time()
        with pytest.raises(expected):
            await client.call(call)
        assert asyncio.get_running_loop().time() - started < BUDGET_S + LATE_S
        if expected is OutcomeUnknown:
            assert len(server.requests) == 1, "an unsafe call was sent again"


async def test_a_kept_connection_closed_by_the_server_leaves_no_write_unknown() -> None:
    """Servers close idle connections as we write on them: writes take a fresh one, reads are simply sent again."""

    served: set[int] = set()

    async def once_per_connection(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if id(writer.transport) in served:
            await hang_up(_reader, writer)
        served.add(id(writer.transport))
        kept.append(writer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}")

    kept: list[asyncio.StreamWriter] = []  # holds the transports, so that no id comes twice
    async with calling(once_per_connection) as (client, server):
        for _ in range(10):
            assert (await client.call(WRITE)).status == 200
            assert (await client.call(UNSAFE_GET)).status == 200
        assert len(server.requests) == 20
        for _ in range(10):
            assert (await client.call(READ)).status == 200
        assert len(server.requests) == 20 + 19, "each read but the first is cut once on the kept connection"


async def test_reads_share_connections() -> None:
    async with calling(answering()) as (client, server):
        for _ in range(10):
            await client.call(READ)
        assert server.connections == 1


async def test_waiting_for_a_slot_counts_and_had_no_effect() -> None:
    brief = Call(operation="brief", path="/thing", method="POST")
    async with calling(never, concurrency=1, budget_s=BUDGET_S) as (client, server):
        first, second = await asyncio.gather(client.call(WRITE), client.call(brief), return_exceptions=True)
        assert isinstance(first, OutcomeUnknown)
        assert isinstance(second, AgencyUnavailable)
        assert len(server.requests) == 1


async def test_never_more_calls_at_once_than_the_manifest_says() -> None:
    running = most = 0

    async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with calling(slow, concurrency=3) as (client, _server):
        await asyncio.gather(*(client.call(READ if n % 2 else WRITE) for n in range(20)))
    assert most == 3


async def test_size_is_counted_after_decompression() -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < 10_000
    async with calling(answering(body=bomb, headers="Content-Encoding: gzip\r\n")) as (client, _server):
        with pytest.raises(AgencyUnavailable, match="larger than 10000"):
            await client.call(READ)
        with pytest.raises(OutcomeUnknown, match="larger than 10000"):
            await client.call(WRITE)


async def test_a_body_of_exactly_the_cap_is_taken() -> None:
    async with calling(answering(body=b"x" * 10_000)) as (client, _server):
        assert len((await client.call(READ)).body) == 10_000
    async with calling(answering(body=b"x" * 10_001)) as (client, _server):
        with pytest.raises(AgencyUnavailable, match="larger"):
            await client.call(READ)


async def test_endless_chunks_are_stopped() -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    async with calling(endless) as (client, _server):
        with pytest.raises(OutcomeUnknown, match="larger"):
            await client.call(WRITE)


@pytest.mark.parametrize(
    ("status", "headers", "read", "write", "wait_s"),
    [
        ("429 Too Many Requests", "", AgencyUnavailable, AgencyUnavailable, None),
        ("429 Too Many Requests", "Retry-After: 7\r\n", AgencyUnavailable, AgencyUnavailable, 7),
        ("503 Service Unavailable", "Retry-After: 2\r\n", AgencyUnavailable, AgencyUnavailable, 2),
        ("503 Service Unavailable", "Retry-After: soon\r\n", AgencyUnavailable, OutcomeUnknown, None),
        ("503 Service Unavailable", "", AgencyUnavailable, OutcomeUnknown, None),
        ("502 Bad Gateway", "Retry-After: 2\r\n", AgencyUnavailable, OutcomeUnknown, 2),
        ("504 Gateway Timeout", "", AgencyUnavailable, OutcomeUnknown, None),
        ("503 Service Unavailable", "Retry-After: 999999999\r\n", AgencyUnavailable, AgencyUnavailable, 3600),
    ],
)
async def test_refusals_of_gateways(
    status: str, headers: str, read: type[AgencyError], write: type[AgencyError], wait_s: float | None
) -> None:
    page = b'{"code": "900800"}'
    async with calling(answering(status, page, headers)) as (client, _server):
        for call, expected in ((READ, read), (WRITE, write)):
            with pytest.raises(expected) as raised:
                await client.call(call)
            assert (raised.value.answered, str(raised.value).count("900800")) == (page, 0)
            if isinstance(raised.value, AgencyUnavailable):
                assert raised.value.retry_after_s == wait_s


async def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    async with calling(answering("503 Service Unavailable", headers=f"Retry-After: {later}\r\n")) as (client, _server):
        with pytest.raises(AgencyUnavailable) as raised:
            await client.call(WRITE)
        assert 55 < (raised.value.retry_after_s or 0) <= 60


async def test_errors_tell_nothing_of_the_citizen() -> None:
    clients = [client_for(await closed_port())]
    async with calling(never, budget_s=BUDGET_S) as (client, _server), calling(half_an_answer) as (other, _other):
        for each in (*clients, client, other):
            for call in (READ, WRITE):
                with pytest.raises(AgencyError) as raised:
                    await each.call(call)
                shown = f"{raised.value} {raised.value.detail} {raised.value.__cause__!r}"
                assert "3571" not in shown
                assert "s3cret" not in shown
                assert "nik" not in shown
    await clients[0].close()


async def test_forms_files_and_json_on_the_wire() -> None:
    async with calling(answering()) as (client, server):
        await client.call(Call(operation="write", path="/a", method="POST", form=[("x[]", "1"), ("x[]", "2 & 3")]))
        file = FormFile("berkas", "surat.pdf", "application/pdf", b"%PDF-1.7")
        await client.call(Call(operation="write", path="/b", method="POST", form=[("nama", "Siti")], files=[file]))
        await client.call(Call(operation="write", path="/c", method="POST", json={"nama": "Siti"}))
    form, multipart, json = server.requests
    assert form.endswith(b"\r\n\r\nx%5B%5D=1&x%5B%5D=2+%26+3")
    assert b"Content-Type: application/x-www-form-urlencoded" in form
    assert b'name="berkas"; filename="surat.pdf"' in multipart
    assert b"Content-Type: application/pdf\r\n" in multipart
    assert json.endswith(b'\r\n\r\n{"nama":"Siti"}')


@pytest.mark.parametrize(
    "path", ["thing", "/thing?x=1", "/a/../admin", "/%2e%2e/admin", "/a/.%2E/admin", "/a#b", "http://elsewhere/"]
)
async def test_a_path_cannot_lead_elsewhere(path: str) -> None:
    async with calling(answering()) as (client, server):
        with pytest.raises(ValueError, match="path"):
            await client.call(Call(operation="read", path=path))
        assert not server.requests


async def test_no_cookie_is_kept() -> None:
    async with calling(answering(headers="Set-Cookie: ci_session=someone; Path=/\r\n")) as (client, server):
        for call in (READ, READ, WRITE, WRITE):
            await client.call(call)
        assert not any(b"ookie:" in request for request in server.requests)


async def test_observes_outcome_and_time() -> None:
    seen: list[tuple[str, str, str]] = []

    def watch(backend: str, operation: str, outcome: str, _seconds: float) -> None:
        seen.append((backend, operation, outcome))

    async with listening(hang_up) as server:
        client = client_for(server.port, observe=watch)
        for call in (READ, WRITE):
            with pytest.raises(AgencyError):
                await client.call(call)
        await client.close()
    async with listening(never) as server:
        client = client_for(server.port, observe=watch)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.call(WRITE), 0.1)
        await client.close()
    async with listening(answering("500 Internal Server Error")) as server:
        client = client_for(server.port, observe=watch)
        await client.call(READ)
        await client.close()
    assert [outcome for _, _, outcome in seen] == ["unavailable", "unknown", "broken_off", "failed"]
    assert seen[1] == ("agency", "write", "unknown")


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """TLS for 127.0.0.1 with the right name and dates, signed by nobody we trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_an_untrusted_certificate_gets_no_byte(self_signed: ssl.SSLContext) -> None:
    async with listening(answering(), self_signed) as server:
        client = client_for(server.port, scheme="https")
        for call in (READ, WRITE):
            with pytest.raises(AgencyUnavailable):
                await client.call(call)
        assert not server.requests
        await client.close()

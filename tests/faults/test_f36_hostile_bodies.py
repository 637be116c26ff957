"""F36: huge, deep, many-parted and bomb-like bodies are the sender's fault, and take no memory to speak of."""

import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType

import httpx
import msgspec
import psutil
import pytest

from tests.harness.cases import PDF, new_key
from tests.harness.figures import Tell
from tests.harness.people import Citizen
from tests.harness.product import Api, Running, free_port
from tests.harness.tables import Tables, grown

MEMORY_MB = 50
JSON = {"Content-Type": "application/json"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=edge"}
MIB = 1024 * 1024


class Hostile(msgspec.Struct, frozen=True):
    """One request. `body` is made when it is sent, so that not all are held at once."""

    body: Callable[[], bytes]
    path: str = "/v1/cases"
    headers: Mapping[str, str] = MappingProxyType(JSON)


def part(name: str, content: bytes, file: str = "berkas.pdf") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
    return head.encode() + b"Content-Type: application/pdf\r\n\r\n" + content + b"\r\n"


def upload(body: Callable[[], bytes], **headers: str) -> Hostile:
    return Hostile(body, "/v1/attachments", {**MULTIPART, **headers})


def bomb() -> bytes:
    """A hundred megabytes of nothing, in a hundred kilobytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * 100 * MIB)
    return written.getvalue()


HOSTILE = {
    "ten megabytes of JSON": Hostile(lambda: b'{"service":"%s"}' % (b"a" * 10 * MIB)),
    "a hundred thousand brackets": Hostile(lambda: b"[" * 100_000),
    "brackets, closed again": Hostile(lambda: b"[" * 50_000 + b"]" * 50_000),
    "objects in objects": Hostile(lambda: b'{"form":' * 20_000 + b"1" + b"}" * 20_000),
    "a number of two hundred thousand digits": Hostile(lambda: b'{"service":' + b"9" * 200_000 + b"}"),
    "a number beyond every number": Hostile(lambda: b'{"service":1e999999999}'),
    "twenty thousand unknown fields": Hostile(
        lambda: json.dumps({"service": "x", "form": {f"f{n}": n for n in range(15_000)}}).encode()
    ),
    "one field twenty thousand times": Hostile(lambda: b"{" + b",".join([b'"service":"a"'] * 15_000) + b"}"),
    "a list of two hundred thousand": Hostile(lambda: b'{"form":{"documents":[' + b"0," * 100_000 + b"0]}}"),
    "half a character": Hostile(lambda: b'{"service":"\xff\xfe\xed\xa0\x80"}'),
    "a string that never ends": Hostile(lambda: b'{"service":"' + b"a" * 200_000),
    "nothing but zeros": Hostile(lambda: b"\0" * 200_000),
    "a bomb that says it is gzip": Hostile(
        lambda: gzip.compress(b" " * 100 * MIB), headers={**JSON, "Content-Encoding": "gzip"}
    ),
    "a file of twelve megabytes": upload(lambda: part("file", b"%PDF-1.4" + b"a" * 12 * MIB) + b"--edge--\r\n"),
    "ten thousand parts": upload(lambda: b"".join(part(f"file{n}", b"") for n in range(10_000)) + b"--edge--\r\n"),
    "ten thousand files of one name": upload(lambda: part("file", b"") * 10_000 + b"--edge--\r\n"),
    "a part's head of a megabyte": upload(lambda: part("file", PDF, "a" * MIB) + b"--edge--\r\n"),
    "a part with ten thousand headers": upload(
        lambda: b"--edge\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n" + PDF + b"\r\n--edge--\r\n"
    ),
    "parts without an end": upload(lambda: part("file", PDF)[:-20]),
    "parts without an edge": upload(lambda: PDF * 1000),
    "no boundary named": Hostile(lambda: part("file", PDF), "/v1/attachments", {"Content-Type": "multipart/form-data"}),
    "a boundary of ten kilobytes": Hostile(
        lambda: PDF, "/v1/attachments", {"Content-Type": f"multipart/form-data; boundary={'b' * 10_000}"}
    ),
    "a zip bomb as a document": upload(lambda: part("file", bomb(), "surat.docx") + b"--edge--\r\n"),
    "a picture of a million by a million": upload(
        lambda: (
            part("file", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x0f\x42\x40\0\x0f\x42\x40\x08\x06\0\0\0", "a.png")
            + b"--edge--\r\n"
        )
    ),
}


@pytest.fixture(scope="module")
async def hit(api: Api, start_process: Callable[..., Running]) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """A client for an API that is a process of its own, and its id: memory is the process's."""
    port = free_port()
    serving = start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url)
    serving.wait_for("Uvicorn running")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client, serving.pid


async def test_each_is_refused_without_effect_and_without_memory(
    hit: tuple[httpx.AsyncClient, int], citizen: Citizen, postgres_url: str, tell: Tell
) -> None:
    client, pid = hit
    token = {"Authorization": f"Bearer {citizen.token}"}
    # What an ordinary request and an ordinary file make it load once is not theirs.
    files = {"file": ("berkas.pdf", PDF, "application/pdf")}
    ordinary = await client.post("/v1/attachments", files=files, headers={**token, "Idempotency-Key": new_key()})
    assert ordinary.status_code == 201, ordinary.text
    async with Tables(postgres_url) as tables:
        rows, memory, most = await tables.counts(), resident_mb(pid), 0.0
        wrong = []
        for name, hostile in HOSTILE.items():
            try:
                answer = await client.post(
                    hostile.path,
                    content=hostile.body(),
                    headers={**token, "Idempotency-Key": new_key(), **hostile.headers},
                )
            except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
                # Cut off in the middle of what nobody would read: no answer is right as well.
                continue
            finally:
                most = max(most, resident_mb(pid) - memory)
            if not 400 <= answer.status_code < 500:
                wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")
        assert wrong == []
        assert grown(rows, await tables.counts()) == {}
    tell(f"F36: {len(HOSTILE)} hostile bodies, memory at most {most:.0f} MB more; allowed {MEMORY_MB} MB")
    assert most <= MEMORY_MB
    assert (await client.get("/healthz")).status_code == 200


def resident_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6

"""Attachments: proven by their content, stored encrypted, read by their owner only, fit for their field."""

import asyncio
import io
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from PIL import Image

from app.cases.attachments import prove, safe_name
from app.errors import Unprocessable
from tests.harness.cases import PDF, SERVICE, advertising, new_key, send_pdf
from tests.harness.people import Citizen, People
from tests.harness.photos import photo
from tests.harness.tables import Tables, grown

MAX_BYTES = 10 * 1024 * 1024
PDF_TAIL = b"\nstartxref\n9\n%%EOF\n"


def picture(kind: str, width: int = 40, height: int = 30) -> bytes:
    noise = Image.effect_noise((width, height), 80).convert("RGB")
    written = io.BytesIO()
    noise.save(written, kind)
    return written.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that is whole and small, and says it is of this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def pdf_with(words: bytes) -> bytes:
    return PDF.replace(b"<</Type/Catalog>>", b"<</Type/Catalog" + words + b">>")


def pdf_hiding(words: bytes, name: bytes = b"/ObjStm", before: bytes = b"stream\r\n", end: int | None = None) -> bytes:
    """A PDF with an object in a compressed object stream, as most writers make them since PDF 1.5."""
    packed = zlib.compress(b"5 0 " + words)[:end]
    head = b"4 0 obj<</Type%b/N 1/First 4/Filter/FlateDecode/Length %d>>%b" % (name, len(packed), before)
    return b"%PDF-1.5\n" + head + packed + b"\r\nendstream endobj\n" + PDF[9:]


def pdf_of_streams_in_streams(count: int) -> bytes:
    """Each object stream is all that follows it, in blocks that hold nothing but the next ones' beginnings."""
    begin = b"/ObjStm stream\n\x78\x9c"
    blocks = b"".join(struct.pack("<BHH", 0, len(begin), 0xFFFF - len(begin)) + begin for _ in range(count))
    empty = struct.pack("<BHH", 0, 0, 0xFFFF)
    room = (MAX_BYTES - len(PDF) - len(begin) - len(blocks) - 100) // len(empty)
    return b"%PDF-1.5\n" + begin + blocks + empty * room + b"\n" + PDF[9:]


async def send(
    citizen: Citizen, content: bytes, name: str = "berkas.pdf", said: str = "application/pdf"
) -> httpx.Response:
    files = {"file": (name, content, said)}
    return await citizen.client.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PDF + b"\r\n\0\0", "application/pdf"),
        (pdf_hiding(b"<</Type/Outlines>>"), "application/pdf"),
        (picture("JPEG"), "image/jpeg"),
        (picture("PNG"), "image/png"),
        # Telephones append what is theirs behind the picture.
        (picture("JPEG") + b"SEFHe\0\0\0SEFT", "image/jpeg"),
    ],
)
async def test_the_content_proves_the_type_whatever_the_client_says(
    citizen: Citizen, content: bytes, media_type: str
) -> None:
    answer = await send(citizen, content, "anything.exe", "application/x-msdownload")
    assert answer.status_code == 201, answer.text
    sent = answer.json()
    assert (sent["media_type"], sent["size"], sent["case_id"]) == (media_type, len(content), None)
    read = await citizen.get(f"/v1/attachments/{sent['id']}")
    assert read.content == content
    assert read.headers["content-type"] == media_type
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-disposition"].startswith("attachment; ")
    assert read.headers["cache-control"] == "no-store"


SCRIPT = b"<</S/JavaScript/JS(app.alert(1))>>"
REFUSED = {
    "a program named .pdf": (b"MZ\x90\0" + bytes(500) + b"This program cannot be run in DOS mode", 415),
    "a Linux program": (b"\x7fELF" + bytes(600), 415),
    "a program, then a PDF": (b"MZ\x90\0" + PDF, 415),
    "a PDF, then an archive": (PDF + b"PK\x03\x04" + bytes(4000), 415),
    "a PDF, then a page": (PDF + b"<script>alert(1)</script>", 415),
    "a PDF without its end": (PDF[:-8], 415),
    "only a PDF's name": (b"%PDF-1.7\n", 415),
    "a PDF with a script": (pdf_with(b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>"), 422),
    "a PDF with a script spelled in hex": (pdf_with(b"/OpenAction<</S/J#61vaScript/J#53(app.alert(1))>>"), 422),
    "a PDF with a script elsewhere": (pdf_with(b"/AA<</S/Rendition/JS 12 0 R>>"), 422),
    "a PDF with a script in an object stream": (pdf_hiding(b"<</S/JavaScript/JS(app.alert(1))>>"), 422),
    "a PDF with a script in an object stream with a wrong checksum": (pdf_hiding(SCRIPT, end=-4), 422),
    "a PDF with a script in an object stream that is cut off": (pdf_hiding(SCRIPT, end=-8), 422),
    "a PDF with a script in an object stream named in hex": (pdf_hiding(SCRIPT, name=b"/Obj#53tm"), 422),
    "a PDF with a script in an object stream far behind its name": (
        pdf_hiding(SCRIPT, name=b"/ObjStm" + b" " * 600),
        422,
    ),
    "a PDF with a script in an object stream after a blank": (pdf_hiding(SCRIPT, before=b"stream \n"), 422),
    "a PDF with a script in an object stream after a CR": (pdf_hiding(SCRIPT, before=b"stream\r"), 422),
    "a PDF of object streams in object streams": (pdf_of_streams_in_streams(2000), 422),
    "a PDF that starts a program": (pdf_with(b"/OpenAction<</S/Launch/F(cmd.exe)>>"), 422),
    "a PDF with a file in it": (pdf_with(b"/Names<</EmbeddedFiles 3 0 R>>"), 422),
    "a JPEG that stops half way": (picture("JPEG", 200, 200)[:-1500], 415),
    "a JPEG of a header only": (b"\xff\xd8\xff\xe0\x00\x10JFIF\0", 415),
    "a PNG that stops half way": (picture("PNG", 200, 200)[:-1500], 415),
    "a PNG whose bytes were changed": (picture("PNG").replace(b"IDAT", b"IDAX"), 415),
    "a PNG, then a page": (picture("PNG") + b"<html><script>alert(1)</script></html>", 415),
    "a PNG of 10,000 megapixels": (png_of_size(100_000, 100_000), 413),
    "a GIF": (b"GIF89a" + bytes(100), 415),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415),
    "a page": (b"<html><script>alert(1)</script></html>", 415),
    "a text": (b"halo", 415),
    "nothing": (b"", 422),
    "one byte too many": (PDF[:9] + bytes(MAX_BYTES + 1 - len(PDF)) + PDF[9:], 413),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_everything_else_is_refused_and_nothing_kept(
    citizen: Citizen, tables: Tables, environment: dict[str, str], what: str
) -> None:
    content, status = REFUSED[what]
    before, files = await tables.counts(), stored_files(environment)
    answer = await send(citizen, content)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"].startswith("attachment_")
    assert grown(before, await tables.counts()) == {}
    assert stored_files(environment) == files


@pytest.mark.parametrize("repeated", [b"/ObjStm", b"/ObjStm stream\n", b"#41", b"stream\n"])
def test_no_file_keeps_a_process_long(repeated: bytes) -> None:
    """A look for what is hidden is no way to stop everybody else: it held one for 4 to 16 seconds."""
    content = b"%PDF-1.5\n" + repeated * ((MAX_BYTES - 100) // len(repeated)) + PDF_TAIL
    began_s = time.thread_time()
    with suppress(Unprocessable):
        prove(content)
    assert time.thread_time() - began_s < 3.5


async def test_ten_megabytes_are_taken(citizen: Citizen) -> None:
    content = PDF[:9] + b"%" + b" " * (MAX_BYTES - len(PDF) - 2) + b"\n" + PDF[9:]
    assert len(content) == MAX_BYTES
    answer = await send(citizen, content)
    assert answer.status_code == 201, answer.text
    assert (await citizen.get(f"/v1/attachments/{answer.json()['id']}")).content == content


async def test_far_too_much_is_refused_before_it_is_read(citizen: Citizen, tables: Tables) -> None:
    before = await tables.counts()
    answer = await send(citizen, b"%PDF-1.4" + bytes(40_000_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert grown(before, await tables.counts()) == {}


async def test_the_store_keeps_nothing_readable(citizen: Citizen, environment: dict[str, str], tables: Tables) -> None:
    secret = b"Nomor rekening rahasia 99887766"
    answer = await send(citizen, pdf_with(b"/Note(" + secret + b")"), "rahasia siti.pdf")
    assert answer.status_code == 201
    kept = [path.read_bytes() for path in stored_files(environment)]
    assert kept
    assert not [content for content in kept if secret in content or content.startswith(b"%PDF")]
    row = await tables.value("SELECT name_enc FROM attachments WHERE id = $1", UUID(answer.json()["id"]))
    assert b"rahasia" not in row


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\siti\\ktp.pdf", "ktp.pdf"),
        ("ktp\r\nSet-Cookie: a=b.pdf", "ktpSet-Cookie a=b.pdf"),
        ('k"t";filename=x.pdf', "kt;filename=x.pdf"),
        ("KTP Bü 雪.pdf", "KTP Bü 雪.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a\ud800b\0.pdf", "ab.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("...", "file"),
        ("", "file"),
    ],
)
def test_a_file_name_is_only_a_name(given: str, kept: str) -> None:
    assert safe_name(given) == kept


@pytest.mark.parametrize(
    "given", ["../../etc/passwd.pdf", "KTP Bü 雪.pdf", 'k"t";filename=x.pdf', "a\r\nSet-Cookie: a=b"]
)
async def test_a_file_name_comes_back_as_one(citizen: Citizen, given: str) -> None:
    answer = await send(citizen, PDF, given)
    assert answer.status_code == 201, answer.text
    name = answer.json()["name"]
    assert not set(name) & set('/\\"\r\n')
    read = await citizen.get(f"/v1/attachments/{answer.json()['id']}")
    assert read.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    assert "set-cookie" not in read.headers


async def test_a_field_takes_only_what_it_accepts(citizen: Citizen, tables: Tables) -> None:
    image = (await send(citizen, picture("PNG"), "denah.png")).json()["id"]
    before = await tables.counts()
    body = {"service": SERVICE, "form": advertising(image)}
    answer = await citizen.post("/v1/cases", body, key=new_key())
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/form/documents", "file_type")
    assert "application/pdf" in fault["detail"]
    assert grown(before, await tables.counts()) == {}


async def test_a_field_takes_only_so_many_bytes(citizen: Citizen, tables: Tables) -> None:
    large = PDF[:9] + b"%" + b" " * (2 * MAX_BYTES // 5) + b"\n" + PDF[9:]
    file_id = (await send(citizen, large)).json()["id"]
    before = await tables.counts()
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": advertising(file_id)}, key=new_key())
    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, "/form/documents", "file_size")
    assert grown(before, await tables.counts()) == {}


async def test_a_file_belongs_to_one_case(citizen: Citizen, tables: Tables) -> None:
    file_id = await send_pdf(citizen)
    body = {"service": SERVICE, "form": advertising(file_id)}
    first, second = await asyncio.gather(*(citizen.post("/v1/cases", body, key=new_key()) for _ in range(2)))
    assert sorted((first.status_code, second.status_code)) == [202, 422]
    refused = max(first, second, key=lambda answer: answer.status_code)
    assert refused.json()["code"] == "attachment_not_usable"
    assert await tables.value("SELECT count(*) FROM cases WHERE citizen_id = $1 AND status = 'submitted'", citizen.id)
    loose = (await send(citizen, PDF)).json()["id"]
    third = await citizen.post(
        "/v1/cases", {**body, "form": advertising(loose), "attachments": [file_id]}, key=new_key()
    )
    assert (third.status_code, third.json()["code"]) == (422, "attachment_not_usable")


async def test_a_case_shows_its_files(citizen: Citizen) -> None:
    named, loose = await send_pdf(citizen), (await send(citizen, picture("JPEG"), "foto.jpg")).json()
    body = {"service": SERVICE, "form": advertising(named), "attachments": [loose["id"]]}
    case = (await citizen.post("/v1/cases", body, key=new_key())).json()
    shown = (await citizen.get(case["links"]["self"])).json()["attachments"]
    assert {file["id"]: (file["name"], file["case_id"]) for file in shown} == {
        named: ("berkas.pdf", case["id"]),
        loose["id"]: ("foto.jpg", case["id"]),
    }


async def test_files_that_nobody_uses_have_a_limit_and_leave_no_trace_beyond_it(
    citizen: Citizen, tables: Tables, environment: dict[str, str]
) -> None:
    await tables.run(
        "INSERT INTO attachments (id, citizen_id, name_enc, media_type, size, sha256) "
        "SELECT gen_random_uuid(), $1, '', 'application/pdf', 1, '' FROM generate_series(1, 100)",
        citizen.id,
    )
    files = stored_files(environment)
    answer = await send(citizen, PDF)
    assert (answer.status_code, answer.json()["code"]) == (422, "attachments_too_many")
    assert stored_files(environment) == files


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\ntext\r\n--x--',
        ),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a'),
        ("application/json", b'{"file": "aGFsbw=="}'),
        ("application/x-www-form-urlencoded", b"file=halo"),
    ],
)
async def test_what_is_no_upload_is_refused(citizen: Citizen, tables: Tables, content_type: str, body: bytes) -> None:
    before = await tables.counts()
    headers = {"Idempotency-Key": new_key(), "Content-Type": content_type}
    answer = await citizen.client.post("/v1/attachments", content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert grown(before, await tables.counts()) == {}


def stored_files(environment: dict[str, str]) -> set[Path]:
    folder = Path(environment["LOKET_DATA_DIR"]) / "files"
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_a_photo_tells_its_owner_alone_where_it_was_taken(people: People) -> None:
    owner, other = await people.make(), await people.make()
    file_id = (await send(owner, photo(), "rumah.jpg")).json()["id"]
    mine, theirs = [await one.get(f"/v1/attachments/{file_id}/photo") for one in (owner, other)]
    told = mine.json()
    assert (told["latitude"], told["longitude"]) == (-7.820139, 112.011389)
    assert told["taken_at"] is not None
    assert theirs.json()["code"] == "attachment_not_found"


async def test_what_is_no_photo_tells_no_place(people: People) -> None:
    citizen = await people.make()
    told = (await citizen.get(f"/v1/attachments/{await send_pdf(citizen)}/photo")).json()
    assert (told["latitude"], told["longitude"], told["taken_at"]) == (None, None, None)

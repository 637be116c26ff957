"""What is sent to SICANTIK's sandbox to be registered, as it reads it: fields, requirements met, and the one file."""

import re

import msgspec
from aiohttp import web

MAX_FILE_BYTES = 2_000 * 1024
FILE_TYPES = ("pdf", "doc", "docx", "word", "xlsx", "xl")
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_DISPOSITION = re.compile(rb'form-data; name="([^"]*)"(?:; filename="([^"]*)")?')


class SentFile(msgspec.Struct, frozen=True):
    """The file of a registration."""

    name: str
    content: bytes


async def sent(request: web.Request) -> tuple[dict[str, str], list[str], SentFile | None]:
    """Fields, ids of requirements met, and the file: from a form, or from JSON where ?source=mobile says so."""
    if request.query.get("source") == "mobile":
        raw = msgspec.json.decode(await request.read(), type=dict[str, object])
        listed = raw.pop("pemohon_syarat", None)
        fields = {name: str(value) for name, value in raw.items() if isinstance(value, str | int)}
        return fields, [str(one) for one in listed] if isinstance(listed, list) else [], None
    if request.content_type == "multipart/form-data":
        posted, file = _parts(await request.read(), request.headers["Content-Type"])
    else:
        posted, file = [(name, str(value)) for name, value in (await request.post()).items()], None
    requirements = [value for name, value in posted if name == "pemohon_syarat[]"]
    return {name: value for name, value in posted if name != "pemohon_syarat[]"}, requirements, file


def accepts(file: SentFile | None) -> bool:
    """A file of another type or size is dropped, and the registration made without it."""
    if file is None:
        return False
    return file.name.rsplit(".", 1)[-1].lower() in FILE_TYPES and len(file.content) <= MAX_FILE_BYTES


def _parts(body: bytes, content_type: str) -> tuple[list[tuple[str, str]], SentFile | None]:
    """A multipart body's fields, and its file. Read by hand: aiohttp's reader took three quarters of a registration."""
    boundary = _BOUNDARY.search(content_type)
    fields: list[tuple[str, str]] = []
    file = None
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1] if boundary else ():
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = _DISPOSITION.search(head)
        if named and named[2] is None:
            fields.append((named[1].decode(), content.decode("utf-8", "replace")))
        elif named and named[1] == b"file":
            file = SentFile(named[2].decode("utf-8", "replace"), content)
    return fields, file

"""Canaries: what must never stand in an output, in every form that carelessness gives it, and where to look for it."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import asyncpg
import msgspec
from redis.asyncio import Redis

from app.asking import SERVICE, SETTING
from app.database import driver_url
from app.login.identity import Person

_COLUMNS = """
SELECT relname, array_agg(quote_ident(attname::text) ORDER BY attnum) FILTER (WHERE attname !~ '_enc$') AS columns
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY relname ORDER BY relname
"""


class Canary(msgspec.Struct, frozen=True):
    """One secret under its name, and the patterns that betray it."""

    name: str
    patterns: Sequence[re.Pattern[bytes]]

    def sings_in(self, content: bytes) -> bool:
        return any(pattern.search(content) for pattern in self.patterns)


def words(name: str, secret: str) -> Canary:
    """Anything long enough that it stands nowhere by chance, in whatever case."""
    return Canary(name, [re.compile(re.escape(form), re.IGNORECASE) for form in sorted(_forms(secret))])


def digits(name: str, secret: str) -> Canary:
    """A NIK or phone: also grouped, and shown but for a few digits."""
    found = _forms(secret)
    for separator in (" ", "-", ".", "%20"):
        found |= {separator.join(secret[at : at + 4] for at in range(0, len(secret), 4)).encode()}
        found |= {separator.join(secret).encode()}
    found |= {secret[:10].encode(), secret[-10:].encode()}
    return Canary(name, [re.compile(re.escape(form)) for form in sorted(found)])


def code(name: str, secret: str) -> Canary:
    """Six digits stand in many a number: only by themselves do they betray the code."""
    return Canary(name, [re.compile(rb"(?<![\d.])" + secret.encode() + rb"(?![\d.])")])


def of_person(person: Person) -> list[Canary]:
    phone = person.phone.lstrip("+")
    return [
        digits(f"NIK of {person.name}", person.nik),
        digits(f"phone of {person.name}", phone),
        digits(f"phone of {person.name}", "0" + phone.removeprefix("62")),
        words(f"name of {person.name}", person.name),
        words(f"last name of {person.name}", person.name.split()[-1]),
        words(f"birth date of {person.name} with NIK", f"{person.nik}{person.birth_date.isoformat()}"),
    ]


def singing(outputs: Mapping[str, bytes], canaries: Iterable[Canary]) -> list[str]:
    """Which canary sings where."""
    known = list(canaries)
    found = [(one, place) for place, content in outputs.items() for one in known if one.sings_in(content)]
    return sorted(f"{one.name} in {place}" for one, place in found)


async def rows_in_clear(url: str) -> dict[str, bytes]:
    """Every table's rows as text, columns that are encrypted left out; sealed words stay, as what they are."""
    connection = await asyncpg.connect(driver_url(url), server_settings={SETTING: SERVICE})
    try:
        found = {}
        for table in await connection.fetch(_COLUMNS):
            told = ", ".join(table["columns"])
            rows = await connection.fetch(f"SELECT ROW({told})::text AS row FROM {table['relname']}")
            text = "\n".join(row["row"] for row in rows)
            # What is stored as bytes shows as hexadecimal digits; look at the bytes as well.
            raw = b"\n".join(bytes.fromhex(hexed) for hexed in re.findall(r"\\x([0-9a-f]{8,})", text))
            found[f"table {table['relname']}"] = text.encode() + b"\n" + raw
        return found
    finally:
        await connection.close()


async def valkey_in_clear(url: str) -> dict[str, bytes]:
    """Every key with all that it holds."""
    readers: Mapping[bytes, Callable[[Any, bytes], Any]] = {
        b"string": lambda client, key: client.get(key),
        b"hash": lambda client, key: client.hgetall(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda client, key: client.xrange(key),
    }
    client: Any = Redis.from_url(url)
    try:
        held = [
            key + b" " + repr(await readers[bytes(await client.type(key))](client, key)).encode()
            async for key in client.scan_iter(count=1000)
        ]
    finally:
        await client.aclose()
    return {"Valkey": b"\n".join(held)}


def files_in(folder: Path, but: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder and its path, those below the folders `but` left out."""
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and place.parts[0] not in but:
            yield f"file {place}", str(place).encode() + b"\n" + path.read_bytes()


def _forms(secret: str) -> set[bytes]:
    """The secret as it is, and as it looks in addresses, tokens, dumps and escaped texts."""
    plain = secret.encode()
    found = {plain, quote(secret).encode(), quote_plus(secret).encode(), plain.hex().encode(), plain[::-1]}
    found |= {secret.encode("unicode-escape"), "".join(f"\\u{ord(char):04x}" for char in secret).encode()}
    for shift in range(3):
        # Base64 of it inside something longer, whatever stands before: without the characters its neighbours share.
        encoded = base64.b64encode(b"\0" * shift + plain)[(shift * 8 + 5) // 6 :].rstrip(b"=")
        found |= {encoded[: -1 or None], encoded[:-1].replace(b"+", b"-").replace(b"/", b"_")}
    return {form for form in found if len(form) > 4}

"""An independent search for everything stored of a person: every table of pg_catalog, every value in every form, and
whatever refers to what was found. It knows nothing of models and declarations, which it is there to check."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from app.asking import SERVICE, SETTING
from app.database import driver_url
from app.privacy import SEALED, CannotDecrypt, Vault

_TABLES = """
SELECT relname AS name, ARRAY(
    SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
    WHERE indrelid = pg_class.oid AND indisprimary ORDER BY array_position(indkey::int2[], attnum)
) AS key
FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
_REFERENCES = """
SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent,
    ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k(num, at)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = k.num ORDER BY at) AS columns,
    ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS k(num, at)
        JOIN pg_attribute ON attrelid = confrelid AND attnum = k.num ORDER BY at) AS parents
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
Item = tuple[str, tuple[str, ...]]


class Stored(msgspec.Struct, frozen=True):
    """One row: its table, its key, its values, and everything that is readable in it."""

    table: str
    key: tuple[str, ...]
    values: Mapping[str, Any]
    readable: str

    @property
    def item(self) -> Item:
        return self.table, self.key


class Sweep:
    """All that stands in a database at one moment, opened with the product's keys."""

    def __init__(self, rows: Sequence[Stored], references: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._references = references

    @classmethod
    async def of(cls, url: str, vault: Vault) -> "Sweep":
        connection = await asyncpg.connect(driver_url(url), server_settings={SETTING: SERVICE})
        try:
            rows = []
            for table in await connection.fetch(_TABLES):
                for row in await connection.fetch(f"SELECT * FROM {table['name']}"):
                    key = tuple(str(row[name]) for name in table["key"])
                    rows.append(
                        Stored(table["name"], key, dict(row), "\n".join(_readable(table["name"], dict(row), vault)))
                    )
            return cls(rows, [dict(row) for row in await connection.fetch(_REFERENCES)])
        finally:
            await connection.close()

    def naming(self, forms: Collection[str]) -> list[Stored]:
        """Rows that have one of the forms in them, in clear or sealed."""
        return [row for row in self._rows if any(form.lower() in row.readable for form in forms)]

    def about(self, forms: Collection[str]) -> dict[Item, Stored]:
        """Those rows, and all that refers to them, however far."""
        found = {row.item: row for row in self.naming(forms)}
        while more := {row.item: row for row in self._referring(found)}:
            found |= more
        return found

    def _referring(self, found: Mapping[Item, Stored]) -> Iterator[Stored]:
        for reference in self._references:
            wanted = {
                tuple(row.values[name] for name in reference["parents"])
                for row in found.values()
                if row.table == reference["parent"]
            }
            for row in self._rows:
                if row.table != reference["child"] or row.item in found:
                    continue
                if tuple(row.values[name] for name in reference["columns"]) in wanted:
                    yield row


def _readable(table: str, row: Mapping[str, Any], vault: Vault) -> Iterator[str]:
    """Every value as text, hexadecimal where it is bytes, and opened where it is encrypted or sealed."""
    for name, value in row.items():
        if isinstance(value, bytes):
            yield value.hex()
            yield value.decode("utf-8", "replace").lower()
            try:
                yield vault.decrypt(value, f"{table}.{name.removesuffix('_enc')}").decode("utf-8", "replace").lower()
            except CannotDecrypt:
                continue
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield text.lower()
            yield from (_unsealed(word, vault).lower() for word in text.split('"') if word.startswith(SEALED))


def _unsealed(word: str, vault: Vault) -> str:
    try:
        return vault.unseal(word)
    except (CannotDecrypt, ValueError):
        return ""


def bytes_of(forms: Collection[str], indexes: Collection[bytes]) -> dict[str, bytes]:
    """What to look for in files of the disk, by a name for each."""
    found = {f"form {at}": form.encode() for at, form in enumerate(sorted(forms))}
    for at, index in enumerate(indexes):
        found |= {f"index {at}": index, f"index {at} in hex": index.hex().encode()}
        found[f"index {at} in base64"] = base64.b64encode(index)
    return found

"""`loket keys rotate-data`: everything that a former data key wrote is written anew, in small transactions.

What is left to do is what does not bear the new key's id, so an ended run is simply run again.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec

from app.cases.files import FileStore
from app.database import Base, Connection, Database
from app.keyring.standing import note_rotated, require_standing_keys
from app.privacy import (
    KEY_BYTES,
    KEYS_EVERY_S,
    WORD_NAMES,
    CannotDecrypt,
    Vault,
    data_keys,
    keep_data_keys,
    open_vault,
)
from app.settings import Settings, SettingsError
from app.tables import import_models

BATCH = 200
PASSES = 20
WORD_COLUMNS = {"case_events": "data", "messages": "params", "cases": "question"}
_PATIENT = "SELECT set_config('statement_timeout', '300000', true), set_config('lock_timeout', '10000', true)"
_FILES = """
SELECT id FROM (
  SELECT id FROM attachments UNION ALL SELECT id FROM data_copies UNION ALL SELECT file_id FROM export_parts
) AS named WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT 200
"""
Say = Callable[[str], None]


class Place(msgspec.Struct, frozen=True):
    """One table and its columns to be written anew."""

    table: str
    key: Sequence[str]
    columns: Sequence[str]


class Rekeyer:
    """Counts what it wrote anew, and what nobody can read any more. `dry`: what it would, without writing."""

    def __init__(self, database: Database, vault: Vault, files: FileStore, *, dry: bool = False) -> None:
        self._database, self._vault, self._files, self._dry = database, vault, files, dry
        self.unreadable: set[str] = set()

    async def one_pass(self) -> Mapping[str, int]:
        """Everything once; how many rows or files of each place were written anew."""
        done = {place.table: await self._place(place, self._sealed) for place in places()}
        for table, column in WORD_COLUMNS.items():
            place = Place(table, _key_of(table), [column])
            done[f"{table}.{column}"] = await self._place(place, self._worded)
        done["files"] = await self._all_files()
        return {name: count for name, count in done.items() if count}

    async def _place(self, place: Place, renewed: Callable[[Place, Mapping[str, Any]], Mapping[str, Any]]) -> int:
        """Row by row under its lock, a batch a transaction."""
        count = 0
        async for connection, rows in self._batches(place):
            for row in rows:
                if values := renewed(place, row):
                    count += 1
                    if not self._dry:
                        await _write(connection, place, row, values)
        return count

    async def _batches(self, place: Place) -> AsyncIterator[tuple[Connection, Sequence[Mapping[str, Any]]]]:
        last: list[Any] = []
        words = place.columns[0] if place.columns[0] in WORD_COLUMNS.values() else ""
        while True:
            async with self._database.begin() as connection:
                await connection.fetchval(_PATIENT)
                given: list[Any] = [*last] if words else [self._vault.key_id, *last]
                rows = await connection.fetch(_select(place, words, after=bool(last)), *given)
                yield connection, rows
            if len(rows) < BATCH:
                return
            last = [rows[-1][name] for name in place.key]

    def _sealed(self, place: Place, row: Mapping[str, Any]) -> Mapping[str, Any]:
        values = {}
        for column in place.columns:
            blob, context = row[column], f"{place.table}.{column.removesuffix('_enc')}"
            if blob is None or self._vault.is_current(blob):
                continue
            try:
                values[column] = self._vault.encrypt(self._vault.decrypt(blob, context), context)
            except CannotDecrypt:
                self.unreadable.add(f"{context} of {'/'.join(str(row[name]) for name in place.key)}")
        return values

    def _worded(self, place: Place, row: Mapping[str, Any]) -> Mapping[str, Any]:
        column = place.columns[0]
        held = row[column]
        values = held if isinstance(held, dict) else {"question": held}
        try:
            renewed = {name: self._resealed(name, value) for name, value in values.items()}
        except CannotDecrypt:
            self.unreadable.add(f"{place.table}.{column} of {'/'.join(str(row[name]) for name in place.key)}")
            return {}
        if renewed == values:
            return {}
        return {column: json.dumps(renewed) if isinstance(held, dict) else renewed["question"]}

    def _resealed(self, name: str, value: object) -> object:
        if name not in WORD_NAMES or not isinstance(value, str) or self._vault.is_sealed(value):
            return value
        return self._vault.seal(self._vault.unseal(value))

    async def _all_files(self) -> int:
        count, last = 0, None
        do = self._files.is_former if self._dry else self._files.reseal
        while rows := await self._database.fetch(_FILES, last):
            for row in rows:
                try:
                    count += await do(row["id"])
                except CannotDecrypt:
                    self.unreadable.add(f"file {row['id']}")
            last = rows[-1]["id"]
        return count


async def rotate_data(settings: Settings, say: Say) -> None:
    """Raises SettingsError where there is no new key to write with, or where something could not be read."""
    keys = data_keys(settings)
    if len(keys) == 1:
        if settings.data_key:
            raise SettingsError("LOKET_DATA_KEY names one key: put the new one before it, restart, then run this again")
        keys = [secrets.token_bytes(KEY_BYTES), *keys]
        keep_data_keys(settings, keys)
        say("a new key writes from now on; the former one still reads")
    # Every running process has looked again by then, and none writes with a former key.
    await asyncio.sleep(0 if settings.data_key else 2 * KEYS_EVERY_S)
    vault = open_vault(settings)
    database = Database(settings.database_url, pool_size=2, name="rekeying")
    try:
        await require_standing_keys(database, vault)
        files = FileStore(settings.files_url, settings.data_dir / "files", vault)
        await _until_done(Rekeyer(database, vault, files), say)
        await note_rotated(database, vault)
    finally:
        await database.close()
    if settings.data_key:
        say("nothing is left of the former keys: remove them from LOKET_DATA_KEY")
        return
    keep_data_keys(settings, keys[:1])
    say("nothing is left of the former key: it is gone")


async def tell_former(settings: Settings, say: Say) -> None:
    """What `rotate_data` would write anew with the keys as they are; nothing is changed. Raises SettingsError where
    something cannot be read."""
    vault = open_vault(settings)
    database = Database(settings.database_url, pool_size=2, name="rekeying")
    try:
        files = FileStore(settings.files_url, settings.data_dir / "files", vault)
        rekeyer = Rekeyer(database, vault, files, dry=True)
        done = await rekeyer.one_pass()
    finally:
        await database.close()
    _say_counts(done, say)
    _refuse_unreadable(rekeyer)
    writing, *former = vault.standing["data"]
    others = f"; {', '.join(former)} still reads" if former else ""
    say(f"{sum(done.values())} are not written with the key {writing}{others}; nothing was changed")


def _say_counts(done: Mapping[str, int], say: Say) -> None:
    for name, count in done.items():
        say(f"{count:8} {name}")


def _refuse_unreadable(rekeyer: Rekeyer) -> None:
    if rekeyer.unreadable:
        first = min(rekeyer.unreadable)
        raise SettingsError(f"{len(rekeyer.unreadable)} values cannot be read, {first}: the former key stays")


async def _until_done(rekeyer: Rekeyer, say: Say) -> None:
    for _ in range(PASSES):
        done = await rekeyer.one_pass()
        _say_counts(done, say)
        _refuse_unreadable(rekeyer)
        if not done:
            return
    raise SettingsError("some process still writes with a former key: restart it, then run this again")


def places() -> list[Place]:
    """Every table of the product with columns called *_enc."""
    import_models()
    found = []
    for table in Base.metadata.sorted_tables:
        columns = [column.name for column in table.columns if column.name.endswith("_enc")]
        if columns:
            found.append(Place(table.name, _key_of(table.name), columns))
    return found


def _key_of(table: str) -> list[str]:
    return [column.name for column in Base.metadata.tables[table].primary_key]


def _select(place: Place, words: str, *, after: bool) -> str:
    """A batch of rows in the order of their key, each with something of a former key, or with words."""
    first = 1 if words else 2
    key = ", ".join(place.key)
    old = f"{words} IS NOT NULL" if words else " OR ".join(f"substr({name}, 2, 4) <> $1" for name in place.columns)
    marks = ", ".join(f"${at}" for at in range(first, first + len(place.key)))
    beyond = f"AND ({key}) > ({marks})" if after else ""
    return (
        f"SELECT {key}, {', '.join(place.columns)} FROM {place.table} WHERE ({old}) {beyond} "  # noqa: S608 - names of our models
        f"ORDER BY {key} LIMIT {BATCH} FOR UPDATE"
    )


async def _write(connection: Connection, place: Place, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    settings = ", ".join(f"{column} = ${at}" for at, column in enumerate(values, start=1))
    own = " AND ".join(f"{name} = ${at}" for at, name in enumerate(place.key, start=len(values) + 1))
    await connection.execute(
        f"UPDATE {place.table} SET {settings} WHERE {own}",  # noqa: S608 - names of our models
        *values.values(),
        *(row[name] for name in place.key),
    )

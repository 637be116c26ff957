"""A city for tests of its index key: a database and keys of its own, and what stands in it."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from app.database import Database
from app.keyring.standing import require_standing_keys
from app.privacy import open_vault
from app.reindexing import KINDS, rotate_index
from app.settings import Settings, read_settings
from tests.harness.keys import new_key
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables


class City(msgspec.Struct, frozen=True):
    """`environment` is what its processes were started with; `old` its index key, `new` the one to come."""

    environment: Mapping[str, str]
    old: str
    new: str

    @classmethod
    def at(cls, environment: Mapping[str, str]) -> "City":
        old, new = written_key(), written_key()
        return cls({**environment, "LOKET_INDEX_KEY": old}, old, new)

    @property
    def rotating(self) -> dict[str, str]:
        """What the command is given: both keys, and as names key what was the first index key."""
        return {**self.environment, "LOKET_INDEX_KEY": f"{self.new},{self.old}", "LOKET_NAMES_KEY": self.old}

    @property
    def after(self) -> dict[str, str]:
        return {**self.rotating, "LOKET_INDEX_KEY": self.new}

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)

    async def rotate(self) -> Sequence[str]:
        """What it said."""
        said: list[str] = []
        await rotate_index(read_settings(self.rotating), said.append, "test")
        return said

    async def start(self, environment: Mapping[str, str]) -> None:
        """As a process does at its start. Raises SettingsError."""
        settings = read_settings(environment)
        database = Database(settings.database_url, pool_size=1, name="test")
        try:
            await require_standing_keys(database, open_vault(settings))
        finally:
            await database.close()

    @asynccontextmanager
    async def people(self) -> AsyncIterator[People]:
        """Makes citizens without an API."""
        await self.start(self.environment)
        async with People(Api(self.settings)) as people:
            yield people

    def tables(self) -> Tables:
        return Tables(self.environment["LOKET_MIGRATION_DATABASE_URL"])

    async def digests(self) -> set[str]:
        """All that stands under a key, in hexadecimal digits."""
        found = set()
        async with self.tables() as tables:
            for place in {place for places in KINDS.values() for place in places}:
                table, column = place.split(".")
                rows = await tables.rows(f"SELECT {column} AS digest FROM {table} WHERE length({column}) = 32")
                found |= {row["digest"].hex() for row in rows}
        return found

    async def everything(self) -> str:
        """All rows of all tables, as text."""
        async with self.tables() as tables:
            names = await tables.counts()
            return "\n".join([row["t"] for name in names for row in await tables.rows(f"SELECT t::text FROM {name} t")])

    async def stands(self) -> tuple[int, str]:
        """How many former index keys are noted, and how far a rotation has come."""
        async with self.tables() as tables:
            [row] = await tables.rows("SELECT former_ids, reached FROM standing_keys WHERE kind = 'index'")
            return len(row["former_ids"]), row["reached"]


def written_key() -> str:
    """A new key as a variable has it."""
    return base64.b64encode(new_key()).decode()

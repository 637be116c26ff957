"""The product's tables as a test sees them from outside: how many rows each has, and any statement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import asyncpg

from app.asking import SERVICE, SETTING
from app.database import driver_url

_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'worker_beats'
ORDER BY relname
"""
_END_THE_APIS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'loket-api'
"""

_MEASURED = ("backend_health", "backend_calls", "backend_slots", "service_evidence")


class Tables:
    """One connection of the test's own, outside any transaction. Used as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self.connection: asyncpg.Connection[Any] = await asyncpg.connect(
            driver_url(self._url), server_settings={SETTING: SERVICE}
        )
        self._names = [row["relname"] for row in await self.connection.fetch(_TABLES)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()

    async def counts(self) -> dict[str, int]:
        """Rows of every table; `grown` compares two of them."""
        statement = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) FROM {name}" for name in self._names)
        return {row["name"]: row["count"] for row in await self.connection.fetch(statement)}

    async def digest(self) -> dict[str, str]:
        """Each table's content, as a hash of all its rows: without the times of last use, and without what the product
        measures by itself."""
        row = "md5((to_jsonb(t) - 'last_used_at')::text)"
        statement = " UNION ALL ".join(
            f"SELECT '{name}' AS name, md5(coalesce(string_agg({row}, '' ORDER BY {row}), '')) AS digest FROM {name} t"
            for name in self._names
            if name not in _MEASURED
        )
        return {row["name"]: row["digest"] for row in await self.connection.fetch(statement)}

    async def changed_since(self, before: dict[str, str]) -> list[str]:
        """The tables whose content is another than in an earlier `digest`."""
        return [name for name, digest in (await self.digest()).items() if before[name] != digest]

    @asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """While the block runs nobody gets at the database anew, and the API has lost the connections it had."""
        name = await self.value("SELECT quote_ident(current_database())")
        await self.run(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        try:
            await self.run(_END_THE_APIS)
            yield
        finally:
            await self.run(f"ALTER DATABASE {name} CONNECTION LIMIT -1")

    async def value(self, statement: str, *given: Any) -> Any:
        return await self.connection.fetchval(statement, *given)

    async def rows(self, statement: str, *given: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.connection.fetch(statement, *given)]

    async def run(self, statement: str, *given: Any) -> None:
        await self.connection.execute(statement, *given)


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Which tables have more or fewer rows than before, and by how many."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}

"""What a database says of a rotation of its index key: announced, how far it has come, ended.

Every step holds only where the one before it stands: of two runs at once one goes on, and the other learns of it.
"""

import asyncio
import time
from collections.abc import Sequence

from app.database import Connection
from app.keyring.standing import data_refusal, ids_of, index_refusal, names_refusal
from app.privacy import Vault
from app.settings import SettingsError

# How long sessions of processes that were just stopped may take to go.
PATIENCE_S = 5.0
_STANDING = "SELECT kind, key_id, former_ids, reached FROM standing_keys"
_ANNOUNCE = """
UPDATE standing_keys SET key_id = $1, former_ids = ARRAY[$2], reached = '', since = now()
WHERE kind = 'index' AND key_id = $2 AND former_ids = '{}' RETURNING 1
"""
_STEP = """
UPDATE standing_keys SET reached = $4
WHERE kind = 'index' AND key_id = $1 AND former_ids = ARRAY[$2] AND reached = $3 RETURNING 1
"""
_WITHDRAW = """
UPDATE standing_keys SET key_id = $2, former_ids = '{}', since = now()
WHERE kind = 'index' AND key_id = $1 AND former_ids = ARRAY[$2] AND reached = '' RETURNING 1
"""
_END = """
UPDATE standing_keys SET former_ids = '{}', reached = '', since = now()
WHERE kind = 'index' AND key_id = $1 AND former_ids = ARRAY[$2] AND reached = $3 RETURNING 1
"""
# Of the role that serves and of the tables' owner: whoever else looks on (a monitor, a replica) changes nothing.
_OTHERS = """
SELECT pid, usename, coalesce(application_name, '') AS program FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND coalesce(backend_type, 'client backend') = 'client backend'
    AND usename IN (current_user, (SELECT tableowner FROM pg_tables WHERE tablename = 'citizens'))
ORDER BY pid
"""


class IndexRotation:
    """The rotation that a vault with the new index key and the former one is about, on one connection."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection, self._ours = connection, vault.standing
        self._ids = self._ours["index"][:2]

    async def reached(self) -> str | None:
        """How far it has come: "" where nothing was changed yet, None where it has ended.

        Raises SettingsError where one of the keys is not the database's.
        """
        rows = await self._connection.fetch(_STANDING)
        if not rows:
            raise SettingsError("no process has ever been started on this database: there is nothing to rotate")
        theirs = ids_of(rows)
        refusal = data_refusal(self._ours, theirs) or names_refusal(self._ours, theirs)
        if not refusal and theirs["index"] not in (self._ids, self._ids[:1], self._ids[1:]):
            refusal = index_refusal({"index": self._ids[1:]}, theirs)
        if refusal:
            raise SettingsError(refusal)
        has_ended = theirs["index"] == self._ids[:1]
        return None if has_ended else next(row["reached"] for row in rows if row["kind"] == "index")

    async def require_alone(self) -> None:
        """Raises SettingsError while somebody else is connected."""
        until = time.monotonic() + PATIENCE_S
        while others := await self._others():
            if time.monotonic() > until:
                raise SettingsError(_told(others))
            await asyncio.sleep(0.1)

    async def announce(self) -> None:
        """From its commit on no process starts, and none opens a connection. Raises SettingsError, with nothing
        changed, while one that was opened before is there."""
        await self._connection.fetchval(_ANNOUNCE, *self._ids)
        # Whoever connected before the commit is seen now, and whoever did after it was refused.
        if others := await self._others():
            await self._connection.fetchval(_WITHDRAW, *self._ids)
            raise SettingsError(_told(others))

    async def step(self, before: str, after: str) -> None:
        """In the transaction of what was done. Raises SettingsError where another run did it."""
        await self._only_one(_STEP, before, after)

    async def end(self, before: str) -> None:
        """Everything stands under the new key. Raises SettingsError as `step` does."""
        await self._only_one(_END, before)

    async def _only_one(self, statement: str, *reached: str) -> None:
        if not await self._connection.fetchval(statement, *self._ids, *reached):
            raise SettingsError("another `loket keys rotate-index` is at work on this database")

    async def _others(self) -> Sequence[str]:
        return [f"{row['program'] or row['usename']} ({row['pid']})" for row in await self._connection.fetch(_OTHERS)]


def _told(others: Sequence[str]) -> str:
    return (
        f"these are still connected to the database: {', '.join(others[:10])}. Stop every process of the product "
        "(and a pooler that keeps connections open), then run this again; nothing was changed"
    )

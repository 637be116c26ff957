"""At the start of a process: its keys are those that this database's rows stand under, or it does not start."""

import logging
from collections.abc import Mapping, Sequence

from app.database import Database
from app.privacy import Vault
from app.settings import SettingsError

log = logging.getLogger("loket")
# A database from before its keys were noted has names made with the index key; of several, the last is the old one.
_NOTE = """
WITH used AS (SELECT EXISTS (SELECT FROM citizens) AS already)
INSERT INTO standing_keys (kind, key_id)
SELECT 'index', CASE WHEN already THEN $2 ELSE $1 END FROM used
UNION ALL SELECT 'names', CASE WHEN already THEN $2 ELSE $3 END FROM used
ON CONFLICT DO NOTHING
"""
_STANDING = "SELECT kind, key_id, former_id FROM standing_keys"


async def require_standing_keys(database: Database, vault: Vault) -> None:
    """Note the keys of a database that is new; of any other, raise SettingsError for a key that is not its own.

    With another index key nobody would be found, and everybody could register a second time; with another names key
    every application would take its citizens for strangers.
    """
    ours = vault.standing
    async with database.begin() as connection:
        await connection.execute(_NOTE, ours["index"][0], ours["index"][-1], ours["names"][0])
        rows = await connection.fetch(_STANDING)
    theirs = {row["kind"]: [each for each in (row["key_id"], row["former_id"]) if each] for row in rows}
    if refusal := _refusal(ours, theirs):
        log.error(refusal)
        raise SettingsError(refusal)


def _refusal(ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> str:
    """What is wrong; "" where nothing is."""
    missing = [each for each in theirs["index"] if each not in ours["index"]]
    if missing:
        return (
            f"LOKET_INDEX_KEY lacks the key with the id {missing[0]} (it has {', '.join(ours['index'])}): people in "
            "this database are found by it alone. Put it back"
        )
    if theirs["names"] != ours["names"]:
        return (
            f"LOKET_NAMES_KEY is not the key with the id {theirs['names'][0]} (it is {ours['names'][0]}): by the names "
            "of that one applications know this database's citizens. Put it back; where it was never set, that is the key "
            "that LOKET_INDEX_KEY had at first"
        )
    return ""

"""At the start of a process: its keys are those that this database's rows stand under, or it does not start."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.database import Database
from app.privacy import Vault
from app.settings import SettingsError

# A database from before its keys were noted has names made with the index key.
_NOTE = """
WITH used AS (SELECT EXISTS (SELECT FROM citizens) AS already)
INSERT INTO standing_keys (kind, key_id, former_ids)
SELECT 'data', $1, $2::text[]
UNION ALL SELECT 'index', $3, '{}'
UNION ALL SELECT 'names', CASE WHEN already THEN $3 ELSE $4 END, '{}' FROM used
ON CONFLICT DO NOTHING
"""
_STANDING = "SELECT kind, key_id, former_ids FROM standing_keys"
# From now on something may be written with the first data key, and all the others did write may still be there.
_BEGIN = """
UPDATE standing_keys SET key_id = $1, former_ids = array_remove(former_ids, $1) || key_id, since = now()
WHERE kind = 'data' AND key_id <> $1
"""
_END = "UPDATE standing_keys SET former_ids = '{}', since = now() WHERE kind = 'data' AND key_id = $1"


async def require_standing_keys(database: Database, vault: Vault) -> None:
    """Note the keys of a database that is new; of any other, raise SettingsError where one of its own is missing.

    Without a data key something could not be read. With another index key nobody would be found, and everybody could
    register a second time; with another names key every application would take its citizens for strangers.
    From here on each new connection makes sure that the index key is still the same.
    """
    ours = vault.standing
    async with database.begin() as connection:
        await connection.execute(_NOTE, ours["data"][0], ours["data"][1:], ours["index"][0], ours["names"][0])
        theirs = ids_of(await connection.fetch(_STANDING))
        refusal = _refusal(ours, theirs)
        if not refusal:
            await connection.execute(_BEGIN, ours["data"][0])
    if refusal:
        raise SettingsError(refusal)
    database.expect_index_key(ours["index"][0])


async def refusal_of(database: Database, vault: Vault) -> str:
    """Why a process with these keys would not start, "" where it would; nothing is noted, as it would note it."""
    theirs = ids_of(await database.fetch(_STANDING))
    return _refusal(vault.standing, theirs) if theirs else ""


async def note_rotated(database: Database, vault: Vault) -> None:
    """Nothing stands under a former data key any more: none is asked for at the next start."""
    await database.fetch(_END, vault.key_id.hex())


def ids_of(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[str]]:
    """Of each kind of key the one that rows of `standing_keys` name, then the former ones."""
    return {row["kind"]: [row["key_id"], *row["former_ids"]] for row in rows}


def data_refusal(ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> str:
    """Why something could not be read; "" where all can."""
    if missing := [each for each in theirs["data"] if each not in ours["data"]]:
        return (
            f"LOKET_DATA_KEY lacks the key with the id {missing[0]} (it has {', '.join(ours['data'])}): some values "
            "can be read with that one alone. Put it back, behind the first, until `loket keys rotate-data` has said "
            "that nothing is left of it"
        )
    return ""


def index_refusal(ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> str:
    """Why nobody can be found with this index key; "" where they can."""
    stands, *former = theirs["index"]
    if former:
        return (
            f"the index key of this database is being changed, from the one with the id {former[0]} to {stands}, and "
            "that has not ended: run `loket keys rotate-index` again, which goes on where it was. Nobody is served "
            "before it has ended"
        )
    if stands == ours["index"][0]:
        return ""
    if stands in ours["index"]:
        return (
            f"this database does not stand under the first key of LOKET_INDEX_KEY ({ours['index'][0]}) yet, but under "
            f"the one with the id {stands}: with every process stopped, run `loket keys rotate-index`, or put that "
            "one first"
        )
    return (
        f"LOKET_INDEX_KEY is not the key with the id {stands} (it is {ours['index'][0]}): people in this database are "
        "found by that one alone, and could register a second time. Put it back"
    )


def names_refusal(ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> str:
    """Why names that were given out would change; "" where they stay."""
    if theirs["names"] == ours["names"]:
        return ""
    return (
        f"LOKET_NAMES_KEY is not the key with the id {theirs['names'][0]} (it is {ours['names'][0]}): by the names "
        "that one made, applications know the citizens in this database. Put it back. Where it was never set, it is "
        "the database's first LOKET_INDEX_KEY: leave it out as long as that one is in use, and set it to that one "
        "once another is"
    )


def _refusal(ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> str:
    return data_refusal(ours, theirs) or index_refusal(ours, theirs) or names_refusal(ours, theirs)

"""Who a person is in all the places that know them: ids, also of accounts that became theirs, and keyed indexes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.database import Connection
from app.login.models import CONTACT, NAME, NIK
from app.privacy import CannotDecrypt, Vault
from app.rights.registry import Place

_ACCOUNTS = """
WITH RECURSIVE mine AS (
    SELECT id, nik_enc, name_enc FROM citizens WHERE id = $1
    UNION SELECT citizens.id, citizens.nik_enc, citizens.name_enc
    FROM citizens JOIN mine ON citizens.merged_into = mine.id
)
SELECT id, nik_enc, name_enc, ARRAY(SELECT value_enc FROM contacts WHERE citizen_id = mine.id) AS phones FROM mine
"""
# Rows of a day at most, found by opening each.
MOST_OPENED = 50_000


class Subject(msgspec.Struct, frozen=True):
    """`id` is the account that stands; `ids` has it and every account that was merged into it."""

    id: UUID
    ids: Sequence[UUID]
    niks: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]
    indexes: Sequence[bytes]

    @property
    def forms(self) -> frozenset[str]:
        """What a key of Valkey may bear of them."""
        return frozenset([*map(str, self.ids), *(index.hex() for index in self.indexes)])


async def subject_of(connection: Connection, vault: Vault, citizen_id: UUID) -> Subject:
    """The person whose account this is."""
    rows = await connection.fetch(_ACCOUNTS, citizen_id)
    niks = {_opened(vault, row["nik_enc"], NIK) for row in rows} - {""}
    phones = {_opened(vault, phone, CONTACT) for row in rows for phone in row["phones"]} - {""}
    ids = [row["id"] for row in rows]
    indexes = [vault.index(kind, nik) for nik in sorted(niks) for kind in ("nik", "decoy")]
    indexes += [vault.index("phone", phone) for phone in sorted(phones)]
    names = {_opened(vault, row["name_enc"], NAME) for row in rows} - {""}
    return Subject(citizen_id, ids, frozenset(niks), frozenset(phones), frozenset(names), indexes)


async def rows_of(connection: Connection, vault: Vault, place: Place, subject: Subject) -> Sequence[Mapping[str, Any]]:
    """All that a table holds of the person."""
    statement = f"SELECT * FROM {place.table} WHERE {place.condition}"  # noqa: S608 - names of our models
    if not place.personal.matched:
        found: Sequence[Mapping[str, Any]] = await connection.fetch(statement, subject.ids, subject.indexes)
        return found
    limited = f"{statement} LIMIT {MOST_OPENED}"
    rows = await connection.fetch(limited, subject.ids, subject.indexes, True)
    return [row for row in rows if _names(row, place, subject, vault)]


def _names(row: Mapping[str, Any], place: Place, subject: Subject, vault: Vault) -> bool:
    """Whether what is sealed in the row names the person by their NIK."""
    opened = [
        _opened(vault, row[column], f"{place.table}.{column.removesuffix('_enc')}") for column in place.personal.matched
    ]
    return any(nik in text for text in opened for nik in subject.niks)


def _opened(vault: Vault, blob: bytes | None, context: str) -> str:
    """Its text; "" for what is empty or cannot be read any more."""
    if not blob:
        return ""
    try:
        return vault.decrypt(blob, context).decode()
    except (CannotDecrypt, UnicodeDecodeError):
        return ""

"""Giving, keeping and withdrawing consent; asking whether one stands."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.audit.actions import AuditEntry, record_on
from app.catalog.catalog import Catalog
from app.database import Connection
from app.errors import Forbidden, NotFound
from app.ids import uuid7

_GIVE = """
INSERT INTO consents (id, citizen_id, purpose, text_version) VALUES ($1, $2, $3, $4)
ON CONFLICT (citizen_id, purpose) WHERE case_id IS NULL AND withdrawn_at IS NULL DO NOTHING
RETURNING id
"""
_GIVE_WITH_CASE = "INSERT INTO consents (id, citizen_id, purpose, text_version, case_id) VALUES ($1, $2, $3, $4, $5)"
_END = """
UPDATE consents SET withdrawn_at = now()
WHERE citizen_id = $1 AND purpose = $2 AND case_id IS NULL AND withdrawn_at IS NULL RETURNING id
"""
_STANDS = """
SELECT EXISTS (SELECT 1 FROM consents
    WHERE citizen_id = $1 AND purpose = $2 AND text_version = $3 AND case_id IS NULL AND withdrawn_at IS NULL)
"""
_COLUMNS = "id, purpose, text_version, case_id, given_at, withdrawn_at"
_ONE = f"""
SELECT {_COLUMNS} FROM consents WHERE citizen_id = $1 AND purpose = $2 AND case_id IS NULL ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - a constant of ours


async def give_consent(connection: Connection, citizen_id: UUID, purpose: str, catalog: Catalog) -> Mapping[str, Any]:
    """Agree to a purpose in its present words; its row. Given twice it is given once; in new words it is given anew.

    Raises NotFound for an unknown purpose, or one that is agreed to in a form alone.
    """
    wording = catalog.consents.get(purpose)
    if wording is None or not wording.standing:
        raise NotFound("consent_unknown")
    if not await connection.fetchval(_STANDS, citizen_id, purpose, wording.version):
        await connection.fetchval(_END, citizen_id, purpose)
        if await connection.fetchval(_GIVE, uuid7(), citizen_id, purpose, wording.version):
            await _audit(connection, citizen_id, "consent.given", purpose)
    return await _standing(connection, citizen_id, purpose)


async def withdraw_consent(connection: Connection, citizen_id: UUID, purpose: str) -> None:
    """From now on nothing is done for this purpose. Raises NotFound where none stands."""
    if await connection.fetchval(_END, citizen_id, purpose) is None:
        raise NotFound("consent_unknown")
    await _audit(connection, citizen_id, "consent.withdrawn", purpose)


async def keep_given(
    connection: Connection, citizen_id: UUID, case_id: UUID, purposes: Sequence[str], catalog: Catalog
) -> None:
    """What a case's form agreed to, for that case, in the caller's transaction."""
    for purpose in purposes:
        version = catalog.consents[purpose].version
        await connection.execute(_GIVE_WITH_CASE, uuid7(), citizen_id, purpose, version, case_id)


async def require_consent(connection: Connection, citizen_id: UUID, purpose: str, catalog: Catalog) -> None:
    """Raises Forbidden where the citizen has not agreed to the purpose in its present words, or has withdrawn it."""
    if not await connection.fetchval(_STANDS, citizen_id, purpose, catalog.consents[purpose].version):
        raise Forbidden("consent_missing", params={"purpose": purpose})


async def _standing(connection: Connection, citizen_id: UUID, purpose: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(_ONE, citizen_id, purpose)
    if row is None:
        raise NotFound("consent_unknown")
    return row


async def _audit(connection: Connection, citizen_id: UUID, action: str, purpose: str) -> None:
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(citizen_id),
        action=action,
        subject_id=citizen_id,
        object_kind="consent",
        object_id=purpose,
        purpose=purpose,
        legal_basis="consent",
    )
    await record_on(connection, entry)

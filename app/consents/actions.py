"""Giving, keeping and withdrawing consent; asking whether one stands."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.audit.actions import AuditEntry, record_on
from app.catalog.catalog import Catalog
from app.database import Connection
from app.errors import Forbidden, NotFound
from app.ids import uuid7
from app.login.guards import Caller

_GIVE = """
INSERT INTO consents (id, citizen_id, purpose, text_version, session_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (citizen_id, purpose) WHERE case_id IS NULL AND withdrawn_at IS NULL DO NOTHING
RETURNING id
"""
_GIVE_WITH_CASE = """
INSERT INTO consents (id, citizen_id, purpose, text_version, case_id, session_id) VALUES ($1, $2, $3, $4, $5, $6)
"""
_END_ALL = """
UPDATE consents SET withdrawn_at = now() WHERE citizen_id = $1 AND purpose = $2 AND withdrawn_at IS NULL RETURNING id
"""
_END = """
UPDATE consents SET withdrawn_at = now()
WHERE citizen_id = $1 AND purpose = $2 AND case_id IS NULL AND withdrawn_at IS NULL RETURNING id
"""
_STANDS = """
SELECT EXISTS (SELECT 1 FROM consents
    WHERE citizen_id = $1 AND purpose = $2 AND text_version = $3 AND case_id IS NULL AND withdrawn_at IS NULL)
"""
_WITHDRAWN = "SELECT purpose FROM consents WHERE case_id = $1 AND withdrawn_at IS NOT NULL LIMIT 1"
_COLUMNS = "id, consents.purpose, text_version, case_id, given_at, withdrawn_at, words_id, words_en"
_ONE = f"""
SELECT {_COLUMNS} FROM consents LEFT JOIN consent_wordings AS words
    ON words.purpose = consents.purpose AND version = text_version
WHERE citizen_id = $1 AND consents.purpose = $2 AND case_id IS NULL ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - a constant of ours


async def give_consent(connection: Connection, caller: Caller, purpose: str, catalog: Catalog) -> Mapping[str, Any]:
    """Agree to a purpose in its present words; its row. Given twice it is given once; in new words it is given anew.

    Raises NotFound for an unknown purpose, or one that is agreed to in a form alone.
    """
    wording, citizen_id = catalog.consents.get(purpose), caller.id
    if wording is None or not wording.standing:
        raise NotFound("consent_unknown")
    if not await connection.fetchval(_STANDS, citizen_id, purpose, wording.version):
        await connection.fetchval(_END, citizen_id, purpose)
        if await connection.fetchval(_GIVE, uuid7(), citizen_id, purpose, wording.version, caller.session_id):
            await _audit(connection, citizen_id, "consent.given", purpose)
    return await _standing(connection, citizen_id, purpose)


async def end_consents(connection: Connection, citizen_id: UUID, purpose: str) -> bool:
    """Every standing yes to a purpose ends, those given in forms too; whether there was one."""
    ended = await connection.fetch(_END_ALL, citizen_id, purpose)
    if ended:
        await _audit(connection, citizen_id, "consent.withdrawn", purpose)
    return bool(ended)


async def keep_given(
    connection: Connection, caller: Caller, case_id: UUID, purposes: Sequence[str], catalog: Catalog
) -> None:
    """What a case's form agreed to, for that case, in the caller's transaction."""
    for purpose in purposes:
        version = catalog.consents[purpose].version
        await connection.execute(_GIVE_WITH_CASE, uuid7(), caller.id, purpose, version, case_id, caller.session_id)


async def require_consent(connection: Connection, citizen_id: UUID, purpose: str, catalog: Catalog) -> None:
    """Raises Forbidden where the citizen has not agreed to the purpose in its present words, or has withdrawn it."""
    if not await connection.fetchval(_STANDS, citizen_id, purpose, catalog.consents[purpose].version):
        raise Forbidden("consent_missing", params={"purpose": purpose})


async def require_case_consents(connection: Connection, case_id: UUID) -> None:
    """Raises Forbidden where a consent was withdrawn that was given with the case's form."""
    purpose = await connection.fetchval(_WITHDRAWN, case_id)
    if purpose is not None:
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

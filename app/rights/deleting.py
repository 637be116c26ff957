"""Deletion: every row, file and key of a person is removed but for what a law holds, which is named with its end.

What stays of the account is its random id without a name, as long as something held refers to it.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from app.cases.claims import LEASE_S
from app.cases.tools import CaseTools
from app.database import Connection
from app.jobs import RetryLater
from app.privacy import Vault
from app.rights.holding import Held, held_cases, kept_rows, of_held_cases
from app.rights.registry import Place, places
from app.rights.subjects import Subject, rows_of, subject_of
from app.texts import Language

_UNDER_WAY = """
SELECT EXISTS (SELECT 1 FROM deliveries JOIN cases ON cases.id = case_id
    WHERE citizen_id = ANY($1::uuid[]) AND state = 'delivering' AND lease_until > now())
"""
_SESSIONS = "SELECT id FROM sessions WHERE citizen_id = ANY($1::uuid[]) AND revoked_at IS NULL"
_LOCK_CASES = "SELECT id FROM cases WHERE citizen_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_CALL_BACK = """
UPDATE deliveries SET state = 'rejected', reason = 'data_deleted', lease_until = NULL, next_try_at = NULL,
    finished_at = now(), payload_enc = NULL
FROM cases WHERE cases.id = case_id AND citizen_id = ANY($1::uuid[]) AND state IN ('queued', 'delivering')
"""
_REST_CASES = "UPDATE cases SET next_refresh_at = NULL WHERE citizen_id = ANY($1::uuid[])"
# Tables whose rows stay with nothing in them: other rows refer to the account, and running processes learn from an
# ended session that its tokens are dead; login's purge removes it a day later.
_EMPTIED: Mapping[str, str] = {
    "citizens": "UPDATE citizens SET nik_enc = '', nik_index = sha256(('deleted ' || id::text)::bytea), name_enc = '', "
    "birth_date_enc = '', assurance_level = 1, language = 'id', deleted_at = now(), restricted_at = now() "
    "WHERE id = ANY($1::uuid[])",
    "sessions": "UPDATE sessions SET revoked_at = coalesce(revoked_at, now()), revoked_because = 'data_deleted', "
    "device_name = '', network = '' WHERE citizen_id = ANY($1::uuid[])",
}
_LONG_DELETED = "SELECT id FROM citizens WHERE deleted_at < now() - make_interval(years => $1)"
_OVER = """
SELECT DISTINCT citizen_id FROM cases JOIN citizens ON citizens.id = citizen_id
WHERE deleted_at IS NOT NULL
    AND (cases.updated_at < now() - make_interval(years => $1) OR cases.created_at > deleted_at) LIMIT 100
"""
_PROOF_OVER = (
    f"DELETE FROM consents WHERE citizen_id IN ({_LONG_DELETED})",  # noqa: S608 - a constant of ours
    f"DELETE FROM client_grants WHERE citizen_id IN ({_LONG_DELETED})",  # noqa: S608 - a constant of ours
)
_REQUESTS_OVER = f"DELETE FROM data_requests WHERE citizen_id IN ({_LONG_DELETED})"  # noqa: S608 - a constant of ours
_NAMELESS_OVER = f"""
DELETE FROM citizens WHERE id IN ({_LONG_DELETED})
    AND NOT EXISTS (SELECT 1 FROM cases WHERE citizen_id = citizens.id)
    AND NOT EXISTS (SELECT 1 FROM citizens AS merged WHERE merged.merged_into = citizens.id)
"""  # noqa: S608 - a constant of ours


class Deleted(msgspec.Struct, frozen=True):
    """What a law keeps, the sessions whose end every process is to hear of, and in which language they were written
    to."""

    subject: Subject
    held: Sequence[Held]
    sessions: Sequence[UUID]
    language: Language


async def delete_person(connection: Connection, tools: CaseTools, citizen_id: UUID) -> Deleted:
    """All of it in the caller's transaction. Raises RetryLater while something of theirs is on its way to an agency.

    Files go last, before the commit: done again after a failure, it finds them gone.
    """
    subject = await subject_of(connection, tools.vault, citizen_id)
    await connection.execute(_LOCK_CASES, subject.ids)
    if await connection.fetchval(_UNDER_WAY, subject.ids):
        raise RetryLater(LEASE_S / 3, "a delivery is under way")
    language = await connection.fetchval("SELECT language FROM citizens WHERE id = $1", citizen_id)
    sessions = [row["id"] for row in await connection.fetch(_SESSIONS, subject.ids)]
    await connection.execute(_CALL_BACK, subject.ids)
    await connection.execute(_REST_CASES, subject.ids)
    kept = await held_cases(connection, subject.ids, tools.catalog.city.retention)
    files = await clear(connection, tools.vault, subject, kept)
    held = await kept_rows(connection, subject, kept, tools.catalog.city.retention)
    for file_id in files:
        await tools.files.delete(file_id)
    return Deleted(subject, held, sessions, "en" if language == "en" else "id")


async def end_holds(tools: CaseTools) -> None:
    """Remove what was held past its time, and in the end the account's nameless row."""
    retention = tools.catalog.city.retention
    async with tools.database.begin() as connection:
        for row in await connection.fetch(_OVER, retention.archive_years):
            subject = await subject_of(connection, tools.vault, row["citizen_id"])
            kept = await held_cases(connection, subject.ids, retention)
            for file_id in await clear(connection, tools.vault, subject, kept):
                await tools.files.delete(file_id)
        for statement in _PROOF_OVER:
            await connection.execute(statement, retention.consent_proof_years)
        await connection.execute(_REQUESTS_OVER, retention.accountability_years)
        longest = max(retention.consent_proof_years, retention.accountability_years)
        await connection.execute(_NAMELESS_OVER, longest)


async def clear(connection: Connection, vault: Vault, subject: Subject, kept: Sequence[UUID]) -> Sequence[UUID]:
    """Every table but for the cases `kept`; the files that nothing names any more."""
    loose = [place for place in places() if not place.personal.owner]
    # What refers goes before what it refers to, and what is found by looking at other tables before all of them.
    owned = [place for place in reversed(places()) if place.personal.owner]
    files: list[UUID] = []
    for place in [*loose, *owned]:
        files += await _clear(connection, vault, place, subject, kept)
    return files


async def _clear(
    connection: Connection, vault: Vault, place: Place, subject: Subject, kept: Sequence[UUID]
) -> Sequence[UUID]:
    who: tuple[object, ...] = (subject.ids, subject.indexes)
    if place.table in _EMPTIED:
        await connection.execute(_EMPTIED[place.table], subject.ids)
    elif place.personal.derived:
        return []
    elif place.personal.hold == "archive":
        gone = f"{place.condition} AND ({of_held_cases(place.table)}) IS NOT TRUE AND $3::uuid[] IS NOT NULL"
        return await _remove(connection, place, gone, (*who, kept))
    elif place.personal.hold is not None:
        if place.personal.erased:
            emptied = ", ".join(f"{column} = NULL" for column in place.personal.erased)
            await connection.execute(f"UPDATE {place.table} SET {emptied} WHERE {place.condition}", *who)  # noqa: S608 - names of our models
    elif place.personal.matched:
        for row in await rows_of(connection, vault, place, subject):
            own = " AND ".join(f"{name} = ${at}" for at, name in enumerate(place.key, start=1))
            await connection.execute(f"DELETE FROM {place.table} WHERE {own}", *(row[name] for name in place.key))  # noqa: S608 - names of our models
    else:
        return await _remove(connection, place, place.condition, who)
    return []


async def _remove(connection: Connection, place: Place, condition: str, given: Sequence[object]) -> Sequence[UUID]:
    """The rows; the files that they named."""
    statement = f"DELETE FROM {place.table} WHERE {condition}"  # noqa: S608 - names of our models
    if not place.personal.has_file:
        await connection.execute(statement, *given)
        return []
    return [row["id"] for row in await connection.fetch(f"{statement} RETURNING id", *given)]

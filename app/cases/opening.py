"""Handing in a new case for later delivery, the write every citizen waits for: one statement reads all it depends on,
one writes all that comes of it and commits by itself."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from app.asking import said_for
from app.backends.actions import QUEUE_PREFIX
from app.cases.actions import submission_of
from app.cases.applicants import APPLICANT_COLUMNS
from app.cases.filled import Filled, check_files, filled_in
from app.cases.handover import DeliveryJob
from app.cases.idempotency import KeyedRequest, answer_of, key_values, stored_answer
from app.cases.once import Once, answered
from app.cases.schemas import NewCase
from app.cases.submission import LAST_PLACE, Submission, places, submission_parts, taken_files
from app.cases.writes import CaseRow
from app.database import Connection
from app.errors import Conflict, Unauthenticated
from app.ids import uuid7
from app.jobs import enqueue_part
from app.tracing import job_headers

_FACTS = f"""
SELECT {APPLICANT_COLUMNS}, nextval('case_numbers') AS running, fingerprint, status, headers, body_enc
FROM citizens LEFT JOIN idempotency_keys AS keys ON keys.citizen_id = citizens.id AND keys.key = $2
WHERE citizens.id = $1 AND {said_for("$1")}
"""  # noqa: S608 - constants of ours
_AT = LAST_PLACE + 1
_KEY = _AT + 1
_JOB = _KEY + 5
_CONSENTS = _JOB + 4
_NAMED = {"dedupe": f"${_JOB + 2}::text", "headers": f"${_JOB + 3}::jsonb"}
_QUEUED = enqueue_part(f"${_JOB}::text", f"${_JOB + 1}::bytea", "kept", **_NAMED)
# A key that was quicker elsewhere leaves `kept` without a row, and so every other part with nothing to write.
_STORE_ONCE = f"""
WITH kept AS (
    INSERT INTO idempotency_keys (citizen_id, key, fingerprint, status, headers, body_enc)
    SELECT $3, {places(_KEY, 5)} WHERE {said_for("$3")} ON CONFLICT DO NOTHING RETURNING 1
), {submission_parts(f"${_AT}::timestamptz, ${_AT}::timestamptz", "FROM kept")}, queued AS (
    {_QUEUED}
), agreed AS (
    INSERT INTO consents (citizen_id, case_id, session_id, id, purpose, text_version)
    SELECT $3, $1, ${_CONSENTS + 3}::uuid, agreed.* FROM kept,
        unnest(${_CONSENTS}::uuid[], ${_CONSENTS + 1}::text[], ${_CONSENTS + 2}::smallint[]) AS agreed
)
SELECT (SELECT jsonb_agg(to_jsonb(taken)) FROM taken) AS taken FROM kept
"""  # noqa: S608 - constants of ours
# What a case that was stored just now has not yet.
_NOT_YET = dict.fromkeys(("delivery_reason", "agency_reference", "question", "product", "rating"))
_TIMES = ("created_at", "updated_at")


async def hand_in(write: Once, new: NewCase, key: str) -> Response[Any]:
    """Store a new case under its key; the key's first answer where it has one.

    Raises Unprocessable for a form that does not fit, Forbidden below the service's assurance level.
    """
    keyed = await write.under(key)
    async with write.tools.database.said() as connection:
        facts = await connection.fetchrow(_FACTS, keyed.citizen_id, key)
        if facts is None:
            raise Unauthenticated("token_invalid")
        if facts["fingerprint"] is not None:
            return answered(answer_of(facts, keyed, write.tools.vault), replayed=True)
        filled = filled_in(write.caller, new, write.tools)
        submission = await submission_of(connection, write.caller, filled, facts, write.tools)
        answer = write.told(_row_of(submission.case), 202)
        if await _stored(connection, write, filled, submission, key_values(keyed, answer, write.tools.vault)):
            return answered(answer)
    return await _quicker(write, keyed)


def _row_of(case: CaseRow) -> dict[str, Any]:
    """The row as it will stand."""
    return {**msgspec.structs.asdict(case), **_NOT_YET, "revision": 1, **dict.fromkeys(_TIMES, case.submitted_at)}


async def _stored(
    connection: Connection, write: Once, filled: Filled, submission: Submission, key: tuple[object, ...]
) -> bool:
    """Whether it was stored: not where the key was quicker elsewhere."""
    delivery = submission.delivery
    payload = msgspec.json.encode(DeliveryJob(delivery.id))
    job = (QUEUE_PREFIX + delivery.backend, payload, str(delivery.id), job_headers())
    given = (
        *submission.values(),
        submission.case.submitted_at,
        *key,
        *job,
        *_consents(filled, write),
        write.caller.session_id,
    )
    if not submission.wanted:
        return await connection.fetchrow(_STORE_ONCE, *given) is not None
    # A file that is not to be had, or is of a kind its field does not take, undoes the whole.
    async with connection.transaction():
        row = await connection.fetchrow(_STORE_ONCE, *given)
        if row is not None:
            check_files(filled, taken_files(row, submission))
    return row is not None


def _consents(filled: Filled, write: Once) -> tuple[list[UUID], list[str], list[int]]:
    purposes = filled.form.consents(filled.data)
    versions = [write.tools.catalog.consents[purpose].version for purpose in purposes]
    return [uuid7() for _ in purposes], list(purposes), versions


async def _quicker(write: Once, keyed: KeyedRequest) -> Response[Any]:
    """The answer of the same request, which was sent twice and stored meanwhile."""
    async with write.tools.database.connection() as connection:
        known = await stored_answer(connection, keyed, write.tools.vault)
    if known is None:
        raise Conflict("idempotency_key_in_use", retry_after_s=1)
    return answered(known, replayed=True)

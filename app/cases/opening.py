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
from app.cases.filled import Filled, attachments_of, check_files, filled_in
from app.cases.handover import DeliveryJob
from app.cases.once import Once
from app.cases.schemas import NewCase
from app.cases.submission import LAST_PLACE, Submission, listed_files, places, submission_parts
from app.cases.writes import CaseRow
from app.database import Connection
from app.errors import Conflict, Forbidden, Unauthenticated, Unprocessable
from app.idempotency import FirstAnswer, KeyedRequest, answer_of, answered, key_values, stored_answer
from app.ids import uuid7
from app.jobs import enqueue_part
from app.tracing import job_headers

_FACTS = f"""
SELECT {APPLICANT_COLUMNS}, nextval('case_numbers') AS running, fingerprint, status, headers, body_enc, (
    SELECT jsonb_agg(to_jsonb(loose)) FROM (
        SELECT id, media_type, size FROM attachments
        WHERE id = ANY($3::uuid[]) AND citizen_id = $1 AND case_id IS NULL
    ) AS loose
) AS files
FROM citizens LEFT JOIN idempotency_keys AS keys ON keys.citizen_id = citizens.id AND keys.key = $2
WHERE citizens.id = $1 AND {said_for("$1")}
"""  # noqa: S608 - constants of ours
_AT = LAST_PLACE + 1
_KEY = _AT + 1
_JOB = _KEY + 5
_CONSENTS = _JOB + 4
_NAMED = {"dedupe": f"${_JOB + 2}::text", "headers": f"${_JOB + 3}::jsonb"}
_QUEUED = enqueue_part(f"${_JOB}::text", f"${_JOB + 1}::bytea", "kept", **_NAMED)
# Where the key was quicker elsewhere, or another case took one of the files meanwhile, `kept` is left without a row,
# and so every other part with nothing to write.
_STORE_ONCE = f"""
WITH loose AS (
    SELECT id FROM attachments
    WHERE id = ANY(${LAST_PLACE}::uuid[]) AND citizen_id = $3 AND case_id IS NULL AND {said_for("$3")}
    FOR UPDATE
), kept AS (
    INSERT INTO idempotency_keys (citizen_id, key, fingerprint, status, headers, body_enc)
    SELECT $3, {places(_KEY, 5)} WHERE (SELECT count(*) FROM loose) = cardinality(${LAST_PLACE}::uuid[])
        AND {said_for("$3")}
    ON CONFLICT DO NOTHING RETURNING 1
), {submission_parts(f"${_AT}::timestamptz, ${_AT}::timestamptz", "FROM kept")}, queued AS (
    {_QUEUED}
), agreed AS (
    INSERT INTO consents (citizen_id, case_id, session_id, id, purpose, text_version)
    SELECT $3, $1, ${_CONSENTS + 3}::uuid, agreed.* FROM kept,
        unnest(${_CONSENTS}::uuid[], ${_CONSENTS + 1}::text[], ${_CONSENTS + 2}::smallint[]) AS agreed
)
SELECT 1 FROM kept
"""  # noqa: S608 - constants of ours
# What a case that was stored just now has not yet.
_NOT_YET = dict.fromkeys(("delivery_reason", "agency_reference", "question", "product", "rating"))
_TIMES = ("created_at", "updated_at")
# Whoever loses against the same request, or a file to another one, finds out the second time.
TRIES = 2


async def hand_in(write: Once, new: NewCase, key: str) -> Response[Any]:
    """Store a new case under its key; the key's first answer where it has one.

    Raises Unprocessable for a form that does not fit or a file that is not to be had, Forbidden below the service's
    assurance level.
    """
    keyed = await write.under(key)
    try:
        filled = filled_in(write.caller, new, write.tools)
    except (Unprocessable, Forbidden):
        if (known := await _known(write, keyed)) is None:
            raise
        # What was taken once is answered as then, whatever has changed since.
        return answered(known, replayed=True)
    async with write.tools.database.said() as connection:
        for _ in range(TRIES):
            answer = await _answer(connection, write, keyed, filled)
            if answer is not None:
                return answer
    raise Conflict("idempotency_key_in_use", retry_after_s=1)


async def _known(write: Once, keyed: KeyedRequest) -> FirstAnswer | None:
    async with write.tools.database.connection() as connection:
        return await stored_answer(connection, keyed, write.tools.vault)


async def _answer(connection: Connection, write: Once, keyed: KeyedRequest, filled: Filled) -> Response[Any] | None:
    """None, with nothing written, where somebody else was quicker."""
    facts = await connection.fetchrow(_FACTS, keyed.owner_id, keyed.key, attachments_of(filled))
    if facts is None:
        raise Unauthenticated("token_invalid")
    if facts["fingerprint"] is not None:
        return answered(answer_of(facts, keyed, write.tools.vault), replayed=True)
    submission = await submission_of(connection, write.caller, filled, facts, write.tools)
    check_files(filled, listed_files(facts["files"], submission.wanted))
    first = write.told(_row_of(submission.case), 202)
    stored = await _store(connection, write, filled, submission, key_values(keyed, first, write.tools.vault))
    return answered(first) if stored else None


def _row_of(case: CaseRow) -> dict[str, Any]:
    """The row as it will stand."""
    return {**msgspec.structs.asdict(case), **_NOT_YET, "revision": 1, **dict.fromkeys(_TIMES, case.submitted_at)}


async def _store(
    connection: Connection, write: Once, filled: Filled, submission: Submission, key: tuple[object, ...]
) -> bool:
    """Whether it was stored: all of it or nothing."""
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
    return await connection.fetchrow(_STORE_ONCE, *given) is not None


def _consents(filled: Filled, write: Once) -> tuple[list[UUID], list[str], list[int]]:
    purposes = filled.form.consents(filled.data)
    versions = [write.tools.catalog.consents[purpose].version for purpose in purposes]
    return [uuid7() for _ in purposes], list(purposes), versions

"""A submission that the agency took: everything this means for its case, in one statement.

The same rows that settle writes one by one for the rarer outcomes; every case comes through here once.
"""

from collections.abc import Sequence
from functools import lru_cache

import asyncpg

from app.cases.claims import Claim, Outcome, noted_part, said_values
from app.cases.states import FINAL
from app.database import Connection
from app.inbox.actions import notice_parts, notice_values
from app.texts import text_keys

# How soon a case that was just handed over is asked after for the first time; then the backend's own interval.
FIRST_REFRESH_S = 1

# A module with words of its own wants nothing of the matter told, as in `settle.tell`.
_DELIVERED_KEY = "inbox.case_delivered."
_OWN_WORDS = 12
_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))
# The case is locked before the delivery, as everywhere. Where the claim is not the newest, or the reference is another
# case's, `settled` is empty, and so is all that follows from it.
_DELIVERED = f"""
WITH standing AS (
    SELECT id AS standing_id FROM cases WHERE id = $1 FOR UPDATE
), settled AS (
    UPDATE deliveries SET state = 'delivered', unknown = false, reference = $4::text, reason = NULL, detail = $5,
        lease_until = NULL, next_try_at = NULL, finished_at = now()
    FROM standing
    WHERE id = $2 AND fence = $3 AND case_id = standing_id AND NOT EXISTS (
        SELECT 1 FROM cases
        WHERE cases.backend = deliveries.backend AND agency_reference = $4::text AND cases.id <> standing_id
    )
    RETURNING id, fence, case_id, reason, detail
), noted AS ({noted_part("'delivered'", 9)}
), delivered AS (
    UPDATE cases SET delivery_state = 'delivered', agency_reference = $4::text, last_event = last_event + 1,
        next_refresh_at = CASE WHEN status NOT IN ({_FINAL}) THEN now() + interval '{FIRST_REFRESH_S} seconds' END,
        revision = revision + 1, updated_at = now()
    FROM settled WHERE cases.id = case_id
    RETURNING cases.id, citizen_id, number, module, service, status, last_event
), line AS (
    INSERT INTO case_events (case_id, seq, kind, status, data)
    SELECT id, last_event, 'delivered', status, jsonb_build_object('reference', $4::text) FROM delivered
), notice AS (
    SELECT citizen_id, id AS case_id, 'inbox.case_delivered' || coalesce('.' || own.module, '') AS key,
        jsonb_strip_nulls(jsonb_build_object('number', number, 'service', service, 'reference',
            CASE WHEN own.module IS NULL THEN $4::text END)) AS params
    FROM delivered LEFT JOIN unnest(${_OWN_WORDS}::text[]) AS own (module) ON own.module = delivered.module
), {notice_parts("notice", 6)}
SELECT 1 FROM delivered
"""  # noqa: S608 - constants of ours


async def settle_delivered(connection: Connection, held: Claim, outcome: Outcome) -> bool:
    """Write it. False, with nothing written, where the claim is not the newest or the reference is another case's."""
    try:
        written = await connection.fetchval(
            _DELIVERED,
            held.case_id,
            held.id,
            held.fence,
            outcome.reference,
            outcome.detail,
            *notice_values(),
            *said_values(outcome),
            _modules_with_own_words(),
        )
    except asyncpg.UniqueViolationError:
        # Another case got the reference at this very moment.
        return False
    return written is not None


@lru_cache(maxsize=1)
def _modules_with_own_words() -> Sequence[str]:
    return [key.removeprefix(_DELIVERED_KEY) for key in text_keys(_DELIVERED_KEY)]

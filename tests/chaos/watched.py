"""The invariants of the audit, of what has ended, and of personal data: I8, I9, I14 and I18."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import asyncpg

from app.audit.verify import examine
from app.embedded import SERVING_ROLE
from tests.chaos.evidence import Answer, Evidence
from tests.harness.canaries import singing

# An ended session is ended everywhere after this, with every process and server killed meanwhile; nobody holds a
# withdrawn consent to be given from its withdrawal on.
_ENDED_AFTER_S: Mapping[str, float] = {"session": 15.0, "consent": 0.0}
# The audit's head is anchored every minute; a worker that was killed, or a database, may take half of one more.
ANCHORED_S = 90


async def audit_is_whole(evidence: Evidence) -> Answer:
    """The audit's chain holds every row, its head is anchored outside the database, and who serves cannot change it."""
    report = await examine(evidence.connection, evidence.anchors)
    broken = [report.fault.words] if report.fault else []
    anchored = max((head.position for head in evidence.anchors), default=0)
    old = await evidence.connection.fetchval(_LINKED_LONG_AGO, ANCHORED_S)
    broken += [f"position {old} is older than {ANCHORED_S} s, and the newest anchor is at {anchored}"] * (
        old > anchored
    )
    broken += [f"{SERVING_ROLE} may {verb}" for verb in _CHANGES if await _may(evidence.connection, verb)]
    return report.head.position, broken


async def _may(connection: "asyncpg.Connection[Any]", statement: str) -> bool:
    """Whether the role that serves may do this: it is tried."""
    trying = connection.transaction()
    await trying.start()
    try:
        await connection.execute(f"SET LOCAL ROLE {SERVING_ROLE}")
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.ObjectInUseError:
        # It had the right, and our own reading stood in the way.
        return True
    else:
        return True
    finally:
        await trying.rollback()


async def looks_are_audited(evidence: Evidence) -> Answer:
    """Each time personal data was shown to an officer, or may have left for an agency, an audit row says so."""
    rows = await evidence.connection.fetch(_TRANSFERS)
    broken = [f"{row['number']}: {row['told']} rows, {row['fence']} tries" for row in rows if not row["right"]]
    noted = {row["object_id"]: row["looks"] for row in await evidence.connection.fetch(_LOOKS)}
    asked = Counter(looked.case_id for looked in evidence.history.looked)
    shown = Counter(looked.case_id for looked in evidence.history.looked if looked.status == 200)
    broken += [
        f"{case_id}: asked {asked[case_id]} times, shown {shown[case_id]}, {noted.get(case_id, 0)} rows"
        for case_id in asked | Counter(noted)
        if not shown[case_id] <= noted.get(case_id, 0) <= asked[case_id]
    ]
    return len(rows) + shown.total(), broken


async def ended_is_ended(evidence: Evidence) -> Answer:
    """Nobody gets in with a session that ended, and nothing is done by a consent that was withdrawn."""
    late = [used for used in evidence.history.used if used.asked_at >= used.ended_at + _ENDED_AFTER_S[used.what]]
    answered = [used for used in late if 0 < used.status < 500]
    return len(answered), [
        f"{used.what} of {used.whose}: {used.status} {used.asked_at - used.ended_at:.1f} s after its end"
        for used in answered
        if used.status not in (401, 403)
    ]


async def nothing_sings(evidence: Evidence) -> Answer:
    """No personal data stands outside of the declared stores: not in a log, a file or a cache."""
    return len(evidence.outputs), singing(evidence.outputs, evidence.canaries)


_TRANSFERS = """
SELECT number, coalesce(told, 0) AS told, coalesce(fence, 0) AS fence, coalesce(told, 0) = coalesce(fence, 0) AS right
FROM cases
LEFT JOIN (SELECT object_id, count(*) AS told FROM audit_rows WHERE action = 'case.sent' GROUP BY 1) AS audit
    ON object_id = cases.id::text
LEFT JOIN (SELECT case_id, sum(fence) AS fence FROM deliveries GROUP BY 1) AS tried ON case_id = cases.id
"""
_LOOKS = "SELECT object_id, count(*) AS looks FROM audit_rows WHERE action = 'case.read' GROUP BY 1"
_LINKED_LONG_AGO = """
SELECT coalesce(max(position), 0) FROM audit_links JOIN audit_rows ON row_id = audit_rows.id
WHERE at < now() - make_interval(secs => $1)
"""
_CHANGES = (
    "UPDATE audit_rows SET purpose = ''",
    "DELETE FROM audit_rows",
    "TRUNCATE audit_rows CASCADE",
    "UPDATE audit_links SET digest = ''",
    "DELETE FROM audit_links",
    "TRUNCATE audit_links",
)

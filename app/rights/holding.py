"""What a law keeps after its citizen is gone: cases an agency has or had, the proof of consents, the requests, the
audit. Each is named with the law and until when; what is past its time goes too."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Table

from app.database import Base, Connection
from app.personal import Hold, Retention
from app.rights.registry import declarations, places
from app.rights.subjects import Subject

# What reached an agency, or may have. What never left is nobody's archive.
_HELD_CASES = """
SELECT id FROM cases WHERE citizen_id = ANY($1::uuid[]) AND submitted_at IS NOT NULL
    AND updated_at > now() - make_interval(years => $2)
    AND (agency_reference IS NOT NULL
        OR EXISTS (SELECT 1 FROM deliveries WHERE case_id = cases.id AND sent_at IS NOT NULL))
"""
_ARCHIVE_END = "SELECT max(updated_at) + make_interval(years => $2) FROM cases WHERE id = ANY($1::uuid[])"
_IN_YEARS = "SELECT now() + make_interval(years => $1)"


class Held(msgspec.Struct, frozen=True):
    """Rows that stay. `until` None: as long as the record itself, which has no name in it."""

    hold: Hold
    rows: int
    until: datetime | None


async def held_cases(connection: Connection, ids: Sequence[UUID], retention: Retention) -> Sequence[UUID]:
    """The person's cases that an archive law holds."""
    return [row["id"] for row in await connection.fetch(_HELD_CASES, ids, retention.archive_years)]


async def kept_rows(
    connection: Connection, subject: Subject, kept: Sequence[UUID], retention: Retention
) -> Sequence[Held]:
    """What is left of the person, counted after everything else went."""
    counts: dict[Hold, int] = {}
    for place in places():
        if (hold := place.personal.hold) is not None:
            statement = f"SELECT count(*) FROM {place.table} WHERE {place.condition}"  # noqa: S608 - names of our models
            counts[hold] = counts.get(hold, 0) + await connection.fetchval(statement, subject.ids, subject.indexes)
    years = {
        "consent_proof": retention.consent_proof_years,
        "accountability": retention.accountability_years,
    }
    found = []
    for hold, rows in counts.items():
        if rows:
            until = None
            if hold == "archive":
                until = await connection.fetchval(_ARCHIVE_END, kept, retention.archive_years)
            elif hold in years:
                until = await connection.fetchval(_IN_YEARS, years[hold])
            found.append(Held(hold, rows, until))
    return found


def of_held_cases(table: str) -> str:
    """A condition for rows of an archived table that belong to one of the cases in `$3`."""
    return _of_cases(Base.metadata.tables[table])


def _of_cases(table: Table) -> str:
    if table.name == "cases":
        return "id = ANY($3::uuid[])"
    if "case_id" in table.c:
        return "case_id = ANY($3::uuid[])"
    owner = table.c[declarations()[table.name].owner]
    target = next((key.column for key in owner.foreign_keys), None)
    if target is None or declarations()[target.table.name].hold != "archive":
        return "false"
    return f"{owner.name} IN (SELECT {target.name} FROM {target.table.name} WHERE {_of_cases(target.table)})"  # noqa: S608 - names of our models

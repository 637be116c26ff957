"""Who asks, decrypted for the one call that needs it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.cases.casedata import applicant, require_unrestricted
from app.cases.port import Applicant
from app.cases.tools import CaseTools
from app.database import Connection
from app.errors import Unauthenticated

# What `casedata.applicant` reads, of the table citizens.
APPLICANT_COLUMNS = """
    citizens.id AS citizen_id, nik_enc, name_enc, birth_date_enc, assurance_level, restricted_at,
    (SELECT value_enc FROM contacts WHERE contacts.citizen_id = citizens.id AND kind = 'phone'
        AND confirmed_at IS NOT NULL ORDER BY confirmed_at DESC LIMIT 1) AS phone_enc
"""
_APPLICANT = f"""
SELECT {APPLICANT_COLUMNS}, CASE WHEN $2 THEN nextval('case_numbers') END AS running FROM citizens WHERE id = $1
"""  # noqa: S608 - constants of ours


async def load_applicant(connection: Connection, citizen_id: UUID, tools: CaseTools) -> Applicant:
    """Raises Unauthenticated where the account is gone although its token still holds, Forbidden where its citizen
    has restricted what is done with their data."""
    row = await _load(connection, citizen_id, numbered=False)
    require_unrestricted(row)
    return applicant(row, tools)


async def load_numbered(connection: Connection, citizen_id: UUID) -> Mapping[str, Any]:
    """The applicant's row, with the next `running` number for their case, in one round trip. Raises Unauthenticated."""
    return await _load(connection, citizen_id, numbered=True)


async def _load(connection: Connection, citizen_id: UUID, *, numbered: bool) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(_APPLICANT, citizen_id, numbered)
    # Of a deleted account nothing is left but its id.
    if row is None or not row["nik_enc"]:
        raise Unauthenticated("token_invalid")
    return row

"""Who asks, decrypted for the one call that needs it."""

from uuid import UUID

from app.cases.casedata import applicant
from app.cases.port import Applicant
from app.cases.tools import CaseTools
from app.database import Connection
from app.errors import Unauthenticated

_APPLICANT = """
SELECT id AS citizen_id, nik_enc, name_enc, birth_date_enc, assurance_level,
    (SELECT value_enc FROM contacts WHERE citizen_id = citizens.id AND kind = 'phone' AND confirmed_at IS NOT NULL
     ORDER BY confirmed_at DESC LIMIT 1) AS phone_enc
FROM citizens WHERE id = $1
"""


async def load_applicant(connection: Connection, citizen_id: UUID, tools: CaseTools) -> Applicant:
    """Raises Unauthenticated where the account is gone although its token still holds."""
    row = await connection.fetchrow(_APPLICANT, citizen_id)
    if row is None:
        raise Unauthenticated("token_invalid")
    return applicant(row, tools)

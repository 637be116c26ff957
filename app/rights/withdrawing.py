"""Withdrawing a consent, and what follows: what rests on it and has not left is not sent, what was told under it is
forgotten, and nothing more is asked."""

from uuid import UUID

from app.cases.actions import withdraw
from app.cases.states import WITHDRAWABLE
from app.cases.tools import CaseTools
from app.consents.actions import end_consents
from app.database import Connection
from app.errors import NotFound
from app.login.guards import Caller

# Cases of this person that rest on the purpose, by a tick in their form or by what their service is declared to rest
# on, and that no agency has yet. What is given at once is never waiting.
_WAITING = """
SELECT cases.id FROM cases WHERE citizen_id = $1 AND status = ANY($4::text[])
    AND delivery_state IN ('queued', 'delivering') AND (service = ANY($3::text[])
        OR EXISTS (SELECT 1 FROM consents WHERE consents.case_id = cases.id AND purpose = $2))
ORDER BY id
"""


async def withdraw_purpose(connection: Connection, caller: Caller, purpose: str, tools: CaseTools) -> list[UUID]:
    """End every consent to a purpose, in the caller's transaction; the cases that ended with it.

    Raises NotFound where none stands.
    """
    if not await end_consents(connection, caller.id, purpose):
        raise NotFound("consent_unknown")
    resting = [
        slug
        for each in tools.catalog.flows
        if each.flow.consent == purpose
        for slug in each.flow.services
        if (service := tools.catalog.find(slug)) is not None and service.manifest.delivery == "queued"
    ]
    standing = [
        row["id"]
        for row in await connection.fetch(_WAITING, caller.id, purpose, _whole(resting, tools), list(WITHDRAWABLE))
    ]
    for case_id in standing:
        await withdraw(connection, caller, case_id, "", tools)
    return standing


def _whole(slugs: list[str], tools: CaseTools) -> list[str]:
    """Of these services, those that rest on consent alone: where a law carries the rest, the form's tick decides."""
    return [slug for slug in slugs if tools.catalog.told[slug].basis == "consent"]

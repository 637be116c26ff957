"""How a delivery ended is for two officers to say: the same outcome and number, each by themselves."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from app.cases.by_hand import end_by_hand
from app.database import Connection
from app.deliveries.acting import Acting
from app.deliveries.schemas import Proposal, Resolution

PREFIX = "propose_"
# Whatever was done after it takes a word back.
_NEWEST = "SELECT officer, action, reference, at FROM delivery_actions WHERE delivery_id = $1 ORDER BY id DESC LIMIT 1"


class _Undone(Exception):
    """What was tried went well."""


async def is_agreed(connection: Connection, acting: Acting, delivery_id: UUID, resolution: Resolution) -> bool:
    """Whether another officer has said the same before; who works at the terminal needs nobody."""
    if acting.alone:
        return True
    said = await proposal_of(connection, delivery_id)
    same = said is not None and (said.outcome, said.reference) == (resolution.outcome, resolution.reference)
    return same and said is not None and said.officer != acting.name


async def proposal_of(connection: Connection, delivery_id: UUID) -> Proposal | None:
    """The word that waits for a second one."""
    row = await connection.fetchrow(_NEWEST, delivery_id)
    if row is None or not row["action"].startswith(PREFIX):
        return None
    outcome: Literal["delivered", "rejected"] = "delivered" if row["action"] == f"{PREFIX}delivered" else "rejected"
    return Proposal(outcome, row["reference"], row["officer"], row["at"])


async def refuse_impossible(
    connection: Connection, row: Mapping[str, Any], outcome: Literal["delivered", "rejected"], reference: str | None
) -> None:
    """What the second officer would be refused, the first is refused: it is tried, and undone."""
    try:
        async with connection.transaction():
            await end_by_hand(connection, row, outcome, reference, "")
            raise _Undone
    except _Undone:
        return

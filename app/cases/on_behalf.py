"""What somebody did with a case for its citizen: told to both, and marked on the timeline."""

from uuid import UUID

from app.asking import Acting
from app.database import Connection
from app.inbox.actions import Notice, notify_on
from app.texts import has_text

# In an event's data: under which delegation it was done.
DELEGATION = "delegation"
# What only a citizen does; whatever else is written in the same request is the agency's or the product's.
DEEDS = frozenset({"created", "submitted", "withdrawn", "answered", "rated", "checked_in"})
_CASE = "SELECT number, service FROM cases WHERE id = $1"


async def tell_both(connection: Connection, case_id: UUID, kind: str, delegate: Acting) -> None:
    """A message to the citizen and, where it was another citizen, to who acted; only of what is worth one."""
    key = f"inbox.acted.{kind}"
    if not has_text(key):
        return
    case = await connection.fetchrow(_CASE, case_id)
    if case is None:
        return
    params = {"number": case["number"], "service": case["service"]}
    await notify_on(connection, Notice(delegate.subject_id, key, params, case_id))
    if delegate.actor_kind == "citizen":
        await notify_on(connection, Notice(delegate.actor_id, f"{key}.by_you", params))

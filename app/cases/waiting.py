"""The promise while its citizen is asked something: the clock stands until they have answered."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.cases.due import today
from app.database import Connection
from app.workdays import after_working_days, working_days_after

_ASKED_AT = "SELECT max(at) FROM case_events WHERE case_id = $1 AND kind = 'needs_citizen'"


async def due_after_waiting(connection: Connection, row: Mapping[str, Any], zone: ZoneInfo) -> date | None:
    """When a held case that waits for its citizen is due from now on: later by the working days that it waited."""
    due: date | None = row["due_on"]
    asked_at: datetime | None = await connection.fetchval(_ASKED_AT, row["id"]) if due else None
    if due is None or asked_at is None:
        return due
    return after_working_days(due, working_days_after(asked_at.astimezone(zone).date(), today(zone)))

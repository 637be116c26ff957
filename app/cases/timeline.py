"""A case's timeline: adding a line under the case's row lock, and showing lines in the reader's language."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.asking import acting
from app.cases.on_behalf import DEEDS, DELEGATION, tell_both
from app.cases.port import Status
from app.cases.schemas import TimelineEvent
from app.database import Connection
from app.privacy import Vault
from app.texts import Language, has_text, text

# The channel on which processes tell each other that a timeline grew: the case's id, nothing personal.
CHANNEL = "cases"

_INSERT = """
INSERT INTO case_events (case_id, seq, kind, status, step_key, data)
VALUES ($1, $2, $3, $4, $5, $6::jsonb)
ON CONFLICT (case_id, step_key) WHERE step_key IS NOT NULL DO NOTHING
RETURNING seq
"""


class Line(msgspec.Struct, frozen=True):
    """One event to add. `step_key` marks what must stand only once. Words of people are sealed in `data`."""

    kind: str
    status: Status
    data: Mapping[str, Any] = {}
    step_key: str | None = None


async def add_line(connection: Connection, case_id: UUID, last_event: int, line: Line) -> int:
    """Add one line after `last_event`; the caller holds the case's row. Returns the new last event's number: the old
    one where the line's step was already told. What somebody does for the citizen says so, and both are told."""
    data = dict(line.data)
    if (delegate := acting.get()) is not None and line.kind in DEEDS:
        data[DELEGATION] = str(delegate.delegation_id)
        await tell_both(connection, case_id, line.kind, delegate)
    seq = await connection.fetchval(
        _INSERT, case_id, last_event + 1, line.kind, line.status, line.step_key, json.dumps(data)
    )
    return int(seq) if seq is not None else last_event


def event_view(row: Mapping[str, Any], vault: Vault, language: Language, folder: str = "") -> TimelineEvent:
    """A row of case_events for a reader. An agency's own words for a step are shown as they are. `folder`: whose texts
    come first, for readers who are not the citizen that ours speak to."""
    data = vault.unseal_all(row["data"])
    key = _key(row["kind"], folder)
    words = text(key, language, data) if has_text(key) else data.get("label", row["kind"])
    if DELEGATION in data:
        words = text(_key("by_delegate", folder), language, {"what": words})
    return TimelineEvent(row["seq"], row["at"], row["kind"], row["status"], words, data)


def _key(kind: str, folder: str) -> str:
    own = f"{folder}.timeline.{kind}"
    return own if folder and has_text(own) else f"timeline.{kind}"

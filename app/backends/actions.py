"""What an operator does about an agency's system: pause and resume it, plan maintenance, hold a breaker by hand.

Every action is audited in the caller's transaction; after the commit the caller tells the other processes (`announce`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.database import Connection, utc_now
from app.errors import Conflict, FieldError, NotFound, Unprocessable
from app.ids import uuid7
from app.jobs import wake_queue

# The queue of a backend's deliveries is named after it.
QUEUE_PREFIX = "deliver."
LONGEST_REASON = 500
Hold = Literal["open", "closed", "auto"]

_COLUMNS = "id, backend, service, starts_at, ends_at, reason, officer"
_ADD = f"""
INSERT INTO maintenance_windows (id, backend, service, starts_at, ends_at, reason, officer)
VALUES ($1, $2, $3, coalesce($4, now()), $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of ours
# One that has not begun vanishes with its end.
_END = f"""
UPDATE maintenance_windows SET starts_at = least(starts_at, now()), ends_at = now()
WHERE id = $1 AND (ends_at IS NULL OR ends_at > now()) RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of ours
_PAUSE = "SELECT id FROM maintenance_windows WHERE backend = $1 AND service = '' AND ends_at IS NULL"
_STANDING = f"""
SELECT {_COLUMNS} FROM maintenance_windows WHERE ends_at IS NULL OR ends_at > now() ORDER BY starts_at, id
"""  # noqa: S608 - constants of ours
_HOLD = """
INSERT INTO breaker_overrides (backend, operation, state, reason, officer) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (backend, operation) DO UPDATE
SET state = excluded.state, reason = excluded.reason, officer = excluded.officer, set_at = now()
"""
_LET_GO = "DELETE FROM breaker_overrides WHERE backend = $1 AND operation = $2"
_HELD = "SELECT backend, operation, state, reason, officer, set_at FROM breaker_overrides ORDER BY backend, operation"


class Window(msgspec.Struct, frozen=True):
    """A time in which a backend or service is out of use; `ends_at` None: a pause, until it is resumed."""

    id: UUID
    backend: str
    service: str
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    officer: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Maintenance to come. `starts_at` None: now. At least one of `backend` and `service` is named."""

    backend: str = ""
    service: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None
    reason: str


class Held(msgspec.Struct, frozen=True):
    """A breaker held by hand. `operation` "" means all of the backend's."""

    backend: str
    operation: str
    state: Literal["open", "closed"]
    reason: str
    officer: str
    set_at: datetime


async def pause(connection: Connection, backend: str, reason: str, officer: str) -> Window:
    """No delivery to the backend from now on: cases wait, and say so. Raises Conflict where it is paused already."""
    return await plan_maintenance(connection, Plan(backend=backend, ends_at=None, reason=reason), officer)


async def resume(connection: Connection, backend: str, officer: str) -> Window:
    """End the pause; what waited is tried at once, at the backend's own rate. Raises NotFound."""
    paused = await connection.fetchval(_PAUSE, backend)
    if paused is None:
        raise NotFound("maintenance_unknown")
    return await end_maintenance(connection, paused, officer)


async def plan_maintenance(connection: Connection, plan: Plan, officer: str) -> Window:
    """Raises Unprocessable for a plan that makes no sense, Conflict where such a pause stands already."""
    if faults := _faults(plan):
        raise Unprocessable(errors=faults)
    given = (plan.backend, plan.service, plan.starts_at, plan.ends_at, plan.reason, officer)
    row = await connection.fetchrow(_ADD, uuid7(), *given)
    if row is None:
        raise Conflict("paused_already")
    await _audit(connection, officer, "maintenance.planned", plan.backend or plan.service, plan.reason)
    return _window(row)


async def end_maintenance(connection: Connection, window_id: UUID, officer: str) -> Window:
    """Now, or before it began. Raises NotFound where there is none that stands."""
    row = await connection.fetchrow(_END, window_id)
    if row is None:
        raise NotFound("maintenance_unknown")
    await _audit(connection, officer, "maintenance.ended", row["backend"] or row["service"], row["reason"])
    await wake_queue(connection, f"{QUEUE_PREFIX}{row['backend']}" if row["backend"] else f"{QUEUE_PREFIX}%")
    return _window(row)


async def list_maintenance(connection: Connection) -> Sequence[Window]:
    """What stands now and what is to come, pauses too."""
    return [_window(row) for row in await connection.fetch(_STANDING)]


async def hold_breaker(
    connection: Connection, breaker: tuple[str, str], state: Hold, reason: str, officer: str
) -> None:
    """Hold the breaker of a (backend, operation) open or closed, or let it decide by itself again ("auto").

    Operation "" means all of the backend's. Survives restarts; holds in every process.
    """
    if state == "auto":
        await connection.execute(_LET_GO, *breaker)
    else:
        await connection.execute(_HOLD, *breaker, state, reason[:LONGEST_REASON], officer)
    await _audit(connection, officer, f"breaker.{state}", ".".join(part for part in breaker if part), reason)


async def held_breakers(connection: Connection) -> Sequence[Held]:
    """Every breaker that is held by hand."""
    return [msgspec.convert(dict(row), Held) for row in await connection.fetch(_HELD)]


def _faults(plan: Plan) -> list[FieldError]:
    faults = []
    if not plan.backend and not plan.service:
        faults.append(FieldError("/backend", "required"))
    now = utc_now()
    if plan.starts_at and plan.starts_at < now:
        faults.append(FieldError("/starts_at", "in_the_past"))
    if plan.ends_at and plan.ends_at <= now:
        faults.append(FieldError("/ends_at", "in_the_past"))
    elif plan.starts_at and plan.ends_at and plan.ends_at <= plan.starts_at:
        faults.append(FieldError("/ends_at", "too_early"))
    if not 1 <= len(plan.reason) <= LONGEST_REASON:
        faults.append(FieldError("/reason", "max_length" if plan.reason else "required", {"limit": LONGEST_REASON}))
    return faults


def _window(row: Mapping[str, Any]) -> Window:
    return Window(**row)


async def _audit(connection: Connection, officer: str, action: str, about: str, reason: str) -> None:
    await record_on(
        connection,
        AuditEntry(
            actor_kind="officer",
            actor_id=officer,
            action=action,
            subject_id=None,
            object_kind="backend",
            object_id=about,
            purpose=reason,
            legal_basis="uu-25-2009",
        ),
    )

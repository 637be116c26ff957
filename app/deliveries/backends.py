"""The agencies' systems as the desk sees them: what waits for each, pauses and breakers, and holding them by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.backends.actions import (
    QUEUE_PREFIX,
    Held,
    Window,
    held_breakers,
    hold_breaker,
    list_maintenance,
    pause,
    resume,
)
from app.backends.breaker import BreakerState, Why
from app.backends.measured import Measured, Span, read_calls, read_uptime
from app.cases.tools import CaseTools
from app.database import Connection
from app.deliveries.acting import Acting
from app.errors import FieldError, NotFound, Unprocessable
from app.jobs import wake_queue
from app.manifest import IntegrationManifest
from app.telemetry import mask_text

Hold = Literal["open", "closed", "auto"]
_WAITING = """
SELECT backend, count(*) FILTER (WHERE state = 'queued') AS queued,
    count(*) FILTER (WHERE state = 'delivering') AS delivering,
    count(*) FILTER (WHERE state = 'needs_operator') AS needs_operator, min(created_at) AS oldest_at
FROM deliveries WHERE state IN ('queued', 'delivering', 'needs_operator') GROUP BY backend
"""
# Told by the system about nothing of ours: its officers should know.
_STRAYS = "SELECT backend, count(*) AS strays FROM stray_callbacks WHERE state = 'waiting' GROUP BY backend"
_HEALTH = "SELECT backend, ok_at, failed_at, consecutive_failures FROM backend_health"


class BreakerView(msgspec.Struct):
    """One operation's breaker. `half_open`: one call at a time finds out. `held`: by an officer, not by itself. `why`:
    what it opened by itself for, failures in a row, a share of its last calls (`failed` of `calls` when it opened), or
    the system's wish to be left alone; null while it is closed."""

    operation: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    opens_in_s: float
    held: Literal["open", "closed"] | None
    why: Why | None
    failed: int
    calls: int


class WindowView(msgspec.Struct):
    """A time out of use; without `ends_at` a pause, until it is resumed. `service` is "" for all of the system's."""

    id: UUID
    starts_at: datetime
    ends_at: datetime | None
    service: str
    reason: str


class HeldView(msgspec.Struct):
    """A breaker held by hand, in every process. `operation` is "" for all of the system's."""

    operation: str
    state: Literal["open", "closed"]
    reason: str


class BackendView(msgspec.Struct):
    """One system of an agency. `ok_at`, `failed_at`: when it last answered as it should, and when it last did not.
    `stray_callbacks`: what it told us about nothing of ours, and nobody has dismissed. `hour`, `day`: its calls
    lately, of all processes. `uptime`: the share, of 1, of the last 30 days' five minutes with calls in which it
    answered most of them; null where it was never called."""

    name: str
    title: str
    agency: str
    paused: bool
    queued: int
    delivering: int
    needs_operator: int
    oldest_at: datetime | None
    ok_at: datetime | None
    failed_at: datetime | None
    consecutive_failures: int
    stray_callbacks: int
    hour: Span
    day: Span
    uptime: float | None
    breakers: list[BreakerView]
    held: list[HeldView]
    windows: list[WindowView]


class BackendList(msgspec.Struct):
    """Every system the officer may see, by name."""

    items: list[BackendView]


async def list_backends(connection: Connection, acting: Acting, tools: CaseTools) -> BackendList:
    """The agency's own systems, or all."""
    names = _names(acting, tools)
    told = await _measured(connection, names, await _standing(connection, tools))
    return BackendList([_view(name, tools.systems[name], told) for name in names])


async def list_standing(connection: Connection, acting: Acting, tools: CaseTools) -> list[BackendView]:
    """The same as they stand now, without what was measured of them: that takes a day's calls and a month's minutes."""
    told = await _standing(connection, tools)
    return [_view(name, tools.systems[name], told) for name in _names(acting, tools)]


async def read_backend(connection: Connection, acting: Acting, backend: str, tools: CaseTools) -> BackendView:
    """Raises NotFound, for another agency's too."""
    manifest = system_of(acting, backend, tools)
    return _view(backend, manifest, await _measured(connection, [backend], await _standing(connection, tools)))


async def pause_backend(connection: Connection, acting: Acting, backend: str, reason: str, tools: CaseTools) -> None:
    """Cases for it wait from now on, and say so. Raises NotFound, Conflict where it is paused already."""
    system_of(acting, backend, tools)
    await pause(connection, backend, mask_text(reason), acting.id)


async def resume_backend(connection: Connection, acting: Acting, backend: str, reason: str, tools: CaseTools) -> None:
    """What waited is tried at once. Raises NotFound where there is no such system, or no pause of it."""
    system_of(acting, backend, tools)
    await resume(connection, backend, acting.id)
    await _audit(connection, acting, "backend.resumed", backend, reason)


async def try_backend_now(connection: Connection, acting: Acting, backend: str, reason: str, tools: CaseTools) -> None:
    """What was put off is tried at once; after the commit the caller hastens the breakers. Raises NotFound."""
    system_of(acting, backend, tools)
    await wake_queue(connection, QUEUE_PREFIX + backend)
    await _audit(connection, acting, "backend.tried_now", backend, reason)


async def hold_breaker_of(
    connection: Connection, acting: Acting, backend: str, held: tuple[str, Hold, str], tools: CaseTools
) -> None:
    """`held`: the operation ("" for all), how, and why. Raises NotFound, Unprocessable for an unknown operation."""
    operation, state, reason = held
    system_of(acting, backend, tools)
    if operation and operation not in tools.systems[backend].operations:
        raise Unprocessable(errors=[FieldError("/operation", "enum")])
    await hold_breaker(connection, (backend, operation), state, mask_text(reason), acting.id)


def system_of(acting: Acting, backend: str, tools: CaseTools) -> IntegrationManifest:
    """Raises NotFound, for another agency's too."""
    manifest = tools.systems.get(backend)
    if manifest is None or acting.agency not in ("", manifest.agency):
        raise NotFound("backend_unknown")
    return manifest


async def _audit(connection: Connection, acting: Acting, action: str, backend: str, reason: str) -> None:
    entry = AuditEntry(
        actor_kind="officer",
        actor_id=acting.id,
        action=action,
        subject_id=None,
        object_kind="backend",
        object_id=backend,
        purpose=mask_text(reason)[:200],
        legal_basis="uu-25-2009",
    )
    await record_on(connection, entry)


def _names(acting: Acting, tools: CaseTools) -> list[str]:
    return sorted(name for name, manifest in tools.systems.items() if acting.agency in ("", manifest.agency))


class _Told(msgspec.Struct, frozen=True):
    """What is known of systems."""

    waiting: Mapping[str, Mapping[str, Any]]
    health: Mapping[str, Mapping[str, Any]]
    strays: Mapping[str, int]
    windows: Sequence[Window]
    held: Sequence[Held]
    breakers: Sequence[BreakerState]
    calls: Mapping[str, Mapping[str, Measured]] = {}
    uptime: Mapping[str, float] = {}


async def _standing(connection: Connection, tools: CaseTools) -> _Told:
    return _Told(
        waiting={row["backend"]: row for row in await connection.fetch(_WAITING)},
        health={row["backend"]: row for row in await connection.fetch(_HEALTH)},
        strays={row["backend"]: row["strays"] for row in await connection.fetch(_STRAYS)},
        windows=await list_maintenance(connection),
        held=await held_breakers(connection),
        breakers=await tools.backends.breakers.states(),
    )


async def _measured(connection: Connection, names: Sequence[str], told: _Told) -> _Told:
    calls, uptime = await read_calls(connection, names), await read_uptime(connection, names)
    return msgspec.structs.replace(told, calls=calls, uptime=uptime)


_NOTHING_WAITS: Mapping[str, Any] = {"queued": 0, "delivering": 0, "needs_operator": 0, "oldest_at": None}
_NEVER_ASKED: Mapping[str, Any] = {"ok_at": None, "failed_at": None, "consecutive_failures": 0}
_NO_CALLS = Measured(Span(), Span(), None)


def _view(name: str, manifest: IntegrationManifest, told: _Told) -> BackendView:
    waiting, health = told.waiting.get(name, _NOTHING_WAITS), told.health.get(name, _NEVER_ASKED)
    windows = [
        WindowView(each.id, each.starts_at, each.ends_at, each.service, each.reason)
        for each in told.windows
        if each.backend in ("", name)
    ]
    calls = told.calls.get(name, {}).get("", _NO_CALLS)
    return BackendView(
        name=name,
        title=manifest.title,
        agency=manifest.agency,
        paused=any(each.ends_at is None and not each.service for each in windows),
        stray_callbacks=told.strays.get(name, 0),
        hour=calls.hour,
        day=calls.day,
        uptime=told.uptime.get(name),
        breakers=[
            BreakerView(
                *(each.operation, each.state, each.failures, round(each.opens_in_s, 1), each.held),
                *(each.why, each.failed, each.calls),
            )
            for each in told.breakers
            if each.backend == name
        ],
        held=[HeldView(each.operation, each.state, each.reason) for each in told.held if each.backend == name],
        windows=windows,
        **{field: waiting[field] for field in _NOTHING_WAITS},
        **{field: health[field] for field in _NEVER_ASKED},
    )

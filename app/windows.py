"""`loket maintenance`: planning and ending maintenance from the terminal, with times as a person writes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.assembly import Product
from app.backends.actions import Plan, Window, end_maintenance, list_maintenance, plan_maintenance
from app.database import Connection, utc_now
from app.deliveries.maintenance import refuse_unknown
from app.deskwork import announce, done
from app.settings import Settings, SettingsError
from app.telemetry import mask_text

_LOCAL = "%Y-%m-%d %H:%M"
_WithOffset = Annotated[datetime, msgspec.Meta(tz=True)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it was typed; `starts` "" is now. The reason is masked before it is kept."""

    backend: str = ""
    service: str = ""
    starts: str = ""
    ends: str
    reason: str


async def plan(settings: Settings, asked: Asked, officer: str) -> str:
    """What to print of the new window. Raises SettingsError saying what is wrong."""

    async def work(connection: Connection, product: Product) -> str:
        zone = product.catalog.timezone
        wanted = Plan(
            backend=asked.backend,
            service=asked.service,
            starts_at=moment(asked.starts, zone) if asked.starts else None,
            ends_at=moment(asked.ends, zone),
            reason=mask_text(asked.reason),
        )
        refuse_unknown(wanted, product.cases)
        return _line(await plan_maintenance(connection, wanted, officer), zone)

    return await done(settings, work, announce)


async def listed(settings: Settings) -> Sequence[str]:
    """A line for each window that stands or is to come."""

    async def work(connection: Connection, product: Product) -> Sequence[str]:
        return [_line(window, product.catalog.timezone) for window in await list_maintenance(connection)]

    return await done(settings, work)


async def end(settings: Settings, window_id: str, officer: str) -> str:
    """What to print of the window that ended. Raises SettingsError where none of that id stands."""

    async def work(connection: Connection, product: Product) -> str:
        ended = await end_maintenance(connection, _id(window_id), officer)
        return f"{ended.id} of {_what(ended)} is over"

    return await done(settings, work, announce)


def moment(given: str, zone: ZoneInfo) -> datetime:
    """A time on the city's own clock, or RFC 3339 with an offset. Raises SettingsError saying how to write it."""
    try:
        return datetime.strptime(given, _LOCAL).replace(tzinfo=zone)
    except ValueError:
        pass
    try:
        return msgspec.convert(given, _WithOffset)
    except msgspec.ValidationError:
        raise SettingsError(
            f"{given!r} is no time: write 2026-12-01 22:00 on the city's own clock ({zone.key}), "
            "or RFC 3339 with an offset, 2026-12-01T22:00:00+07:00"
        ) from None


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise SettingsError(f"{given!r} is no maintenance's id: see `loket maintenance list`") from None


def _line(window: Window, zone: ZoneInfo) -> str:
    until = _local(window.ends_at, zone) if window.ends_at else "it is resumed"
    standing = "on now" if window.starts_at <= utc_now() else "planned"
    times = f"{_local(window.starts_at, zone)} until {until}"
    return f"{window.id}  {_what(window)}  {times}  {standing}: {window.reason} ({window.officer})"


def _what(window: Window) -> str:
    return " at ".join(part for part in (window.service, window.backend) if part)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):{_LOCAL} %Z}"

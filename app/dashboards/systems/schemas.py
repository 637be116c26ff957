"""What the routes of systems' health take and give, beyond what the desk's have."""

from datetime import datetime
from typing import Annotated

import msgspec

from app.backends.measured import DayUp, Point, Span
from app.deliveries.backends import BackendView, BreakerView
from app.deliveries.schemas import Reason

Moment = Annotated[datetime, msgspec.Meta(tz=True, examples=["2099-12-01T17:00:00Z"])]


class OperationView(msgspec.Struct):
    """One operation of a system. `safe`: it changes nothing there. `last_ok_at`: within the last week."""

    operation: str
    safe: bool
    breaker: BreakerView | None
    hour: Span
    day: Span
    last_ok_at: datetime | None


class SystemView(BackendView):
    """One system with its operations; the last day in five minutes each, and the last 30 days, oldest first."""

    operations: list[OperationView]
    line: list[Point]
    days: list[DayUp]
    services: list[str]


class MaintenanceWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a system is out of use. Without `starts_at` from now on; with `service` only for that service of its."""

    ends_at: Moment
    reason: Reason
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    service: Annotated[str, msgspec.Meta(max_length=63, pattern=r"^([a-z][a-z0-9-]*)?$")] = ""

"""What operators have decided about agencies' systems: of record, so that no restart and no flush undoes it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class BreakerOverride(Base):
    """A breaker held open or closed by hand; without a row it decides by itself. `operation` "" means all of them."""

    __tablename__ = "breaker_overrides"
    personal = NOBODYS
    __table_args__ = (
        PrimaryKeyConstraint("backend", "operation"),
        CheckConstraint("state IN ('open', 'closed')", name="state"),
    )

    backend: Mapped[str]
    operation: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    officer: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class MaintenanceWindow(Base):
    """When a backend or a service is out of use, as planned. `backend` "" means whatever stands behind the service,
    `service` "" every service of the backend; `ends_at` null: until somebody ends it, which is what a pause is."""

    __tablename__ = "maintenance_windows"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("backend <> '' OR service <> ''", name="names_something"),
        CheckConstraint("ends_at >= starts_at", name="order"),
        Index(
            "uq_maintenance_windows_pause", "backend", "service", unique=True, postgresql_where=text("ends_at IS NULL")
        ),
        Index(None, "ends_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    backend: Mapped[str]
    service: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    reason: Mapped[str]
    officer: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class BackendCalls(Base):
    """How often an operation was called in five minutes, by what came of it and how long it took: `bucket` as
    app.backends.buckets has it. A busy operation has a handful of rows for each slot."""

    __tablename__ = "backend_calls"
    personal = NOBODYS
    __table_args__ = (PrimaryKeyConstraint("backend", "operation", "slot", "outcome", "bucket"), Index(None, "slot"))

    backend: Mapped[str]
    operation: Mapped[str]
    slot: Mapped[datetime]
    outcome: Mapped[str]
    bucket: Mapped[int] = mapped_column(SmallInteger)
    calls: Mapped[int]
    last_at: Mapped[datetime]


class BackendSlot(Base):
    """Whether a backend answered in five minutes, over all its operations: narrow, and kept long, for its uptime."""

    __tablename__ = "backend_slots"
    personal = NOBODYS
    __table_args__ = (PrimaryKeyConstraint("backend", "slot"),)

    backend: Mapped[str]
    slot: Mapped[datetime]
    answered: Mapped[int]
    unanswered: Mapped[int]

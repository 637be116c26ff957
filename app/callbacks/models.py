"""What backends told us unasked: each thing once, so that nothing told again does anything again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import Personal

_OF_CASES = "reference IN (SELECT agency_reference FROM cases WHERE citizen_id = ANY($1::uuid[]))"


class CallbackReceipt(Base):
    """`digest` is of what was told, `times` how often. `unknown`: nothing of ours, so far."""

    __tablename__ = "callback_receipts"
    personal = Personal(where=_OF_CASES)
    __table_args__ = (
        PrimaryKeyConstraint("backend", "digest"),
        CheckConstraint("outcome IN ('asked', 'unknown')", name="outcome"),
        Index(None, "received_at"),
    )

    backend: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    about: Mapped[str]
    reference: Mapped[str]
    outcome: Mapped[str]
    times: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class StrayCallback(Base):
    """What was told, and proven, about nothing of ours: kept until it is, or until an officer dismisses it.

    `agency` is the backend's. `sign` is what it said of the matter, masked before it was encrypted; `officer` and
    `reason`, in their own words, are of a dismissal.
    """

    __tablename__ = "stray_callbacks"
    personal = Personal(where=_OF_CASES, withheld=["officer"])
    __table_args__ = (
        UniqueConstraint("backend", "digest"),
        CheckConstraint("about IN ('case', 'message')", name="about"),
        CheckConstraint("state IN ('waiting', 'matched', 'dismissed')", name="state"),
        Index(None, "received_at"),
        Index("ix_stray_callbacks_waiting", "agency", "id", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    backend: Mapped[str]
    agency: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    about: Mapped[str]
    reference: Mapped[str]
    sign_enc: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(server_default="waiting")
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    settled_at: Mapped[datetime | None]
    officer: Mapped[str | None]
    reason_enc: Mapped[bytes | None] = mapped_column(LargeBinary)

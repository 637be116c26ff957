"""What backends told us unasked: each thing once, so that nothing told again does anything again."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import Personal

_OF_CASES = "reference IN (SELECT agency_reference FROM cases WHERE citizen_id = ANY($1::uuid[]))"
OUTCOMES = ("asked", "unknown")


class CallbackReceipt(Base):
    """`digest` is of what was told, `times` how often. `unknown`: nothing of ours; kept for whoever looks into it."""

    __tablename__ = "callback_receipts"
    personal = Personal(where=_OF_CASES)
    __table_args__ = (
        PrimaryKeyConstraint("backend", "digest"),
        CheckConstraint("outcome IN ('asked', 'unknown')", name="outcome"),
        Index(None, "received_at"),
        Index("ix_callback_receipts_strays", "backend", postgresql_where=text("outcome = 'unknown'")),
    )

    backend: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    about: Mapped[str]
    reference: Mapped[str]
    outcome: Mapped[str]
    times: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

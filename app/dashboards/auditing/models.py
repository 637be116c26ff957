"""Verifications of the audit that auditors asked for, how far each came, and what was found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class AuditCheck(Base):
    """One verification. `seen_at`: when its worker last told how far it is; without an outcome it is under way."""

    __tablename__ = "audit_checks"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("outcome IN ('whole', 'broken', 'failed')", name="outcome"),
        Index(
            "uq_audit_checks_under_way",
            text("(outcome IS NULL)"),
            unique=True,
            postgresql_where=text("outcome IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    outcome: Mapped[str | None]
    fault: Mapped[str | None]
    fault_position: Mapped[int | None] = mapped_column(BigInteger)
    anchors: Mapped[int | None]
    anchored_position: Mapped[int | None] = mapped_column(BigInteger)
    anchored_digest: Mapped[bytes | None]

"""The audit record: who saw or sent which personal data, when and why. Rows are added, never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class AuditRow(Base):
    """One fact. `position`, `previous` and `digest` are the hash chain's, filled in order after commit by the chainer
    (issue: delivery); a row without them is not chained yet."""

    __tablename__ = "audit_rows"
    __table_args__ = (
        Index(None, "subject_id", "id"),
        Index("ix_audit_rows_unchained", "id", postgresql_where=text("position IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    object_kind: Mapped[str]
    object_id: Mapped[str]
    purpose: Mapped[str]
    legal_basis: Mapped[str]
    fields: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    request_id: Mapped[str] = mapped_column(server_default="")
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    previous: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)

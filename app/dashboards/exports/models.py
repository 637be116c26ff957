"""Exports: what was asked for and how far it is, and the parts that its file is kept in."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class Export(Base):
    """One export of one officer. `agency` "" is the whole city. `after`: the last case whose row stands in a part, from
    which a worker goes on where another has stopped; `parts`: how many there are, so that of two workers one writes.
    `filters_enc`: what an auditor searched the record for."""

    # A case's row in a file bears its number alone, and one of the record ids; the file is gone after three days.
    personal = NOBODYS
    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint("kind IN ('cases', 'figures', 'survey', 'audit')", name="kind"),
        CheckConstraint("format IN ('csv', 'xlsx')", name="format"),
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
        Index("ix_exports_officer_id_id", "officer_id", "id"),
        Index("ix_exports_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    agency: Mapped[str]
    kind: Mapped[str]
    format: Mapped[str]
    language: Mapped[str]
    service: Mapped[str] = mapped_column(server_default="")
    filters_enc: Mapped[bytes | None]
    from_on: Mapped[date]
    until_on: Mapped[date]
    state: Mapped[str] = mapped_column(server_default="queued")
    rows_total: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(server_default="0")
    after: Mapped[UUID | None]
    rows_end: Mapped[bool] = mapped_column(server_default=text("false"))
    parts: Mapped[int] = mapped_column(server_default="0")
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class ExportPart(Base):
    """A piece of an export's file, in the file store under `file_id`. `number` counts from 0."""

    personal = NOBODYS
    __tablename__ = "export_parts"
    __table_args__ = (PrimaryKeyConstraint("export_id", "number"),)

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"))
    number: Mapped[int]
    file_id: Mapped[UUID]
    size: Mapped[int]

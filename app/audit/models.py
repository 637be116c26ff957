"""The audit record: who saw or sent which personal data, when and why; and the chain of its rows. Both only grow."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS, Personal


class AuditRow(Base):
    """One fact. `transaction_id` is the writing transaction's: rows are chained in its order, once every transaction
    that began before it has ended."""

    __tablename__ = "audit_rows"
    personal = Personal(owner="subject_id", hold="audit")
    __table_args__ = (
        Index(None, "subject_id", "id"),
        Index("ix_audit_rows_transaction_id_id", "transaction_id", "id"),
        # What auditors search by, newest first.
        Index(None, "at", "id"),
        Index(None, "actor_id", "at", "id"),
        Index(None, "action", "at", "id"),
        Index(None, "object_id", "at", "id"),
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
    transaction_id: Mapped[int] = mapped_column(
        BigInteger, server_default=text("((pg_current_xact_id())::text)::bigint")
    )


class AuditLink(Base):
    """One link of the hash chain, in a table of its own: so nobody needs to change a row of the record to chain it."""

    __tablename__ = "audit_links"
    personal = NOBODYS

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    row_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    digest: Mapped[bytes]

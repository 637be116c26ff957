"""The table of consents. A row is never changed but by its end."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Consent(Base):
    """One yes. `case_id`: given with a case's form, for that case; None: given for as long as it is not withdrawn."""

    __tablename__ = "consents"
    __table_args__ = (
        Index("ix_consents_citizen_id_id", "citizen_id", text("id DESC")),
        Index(None, "case_id"),
        Index(
            "uq_consents_standing",
            "citizen_id",
            "purpose",
            unique=True,
            postgresql_where=text("case_id IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    text_version: Mapped[int] = mapped_column(SmallInteger)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    given_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    withdrawn_at: Mapped[datetime | None]

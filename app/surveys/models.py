"""Answers to the survey: one row for a case, written once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import Personal
from app.surveys.elements import BEST, COLUMNS


class Survey(Base):
    """What one citizen answered about one case. Officers see sums of them alone, never whose they are."""

    __tablename__ = "surveys"
    personal = Personal(owner="case_id")
    __table_args__ = tuple(CheckConstraint(f"{column} BETWEEN 1 AND {BEST}", name=column) for column in COLUMNS)

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    u1: Mapped[int] = mapped_column(SmallInteger)
    u2: Mapped[int] = mapped_column(SmallInteger)
    u3: Mapped[int] = mapped_column(SmallInteger)
    u4: Mapped[int] = mapped_column(SmallInteger)
    u5: Mapped[int] = mapped_column(SmallInteger)
    u6: Mapped[int] = mapped_column(SmallInteger)
    u7: Mapped[int] = mapped_column(SmallInteger)
    u8: Mapped[int] = mapped_column(SmallInteger)
    u9: Mapped[int] = mapped_column(SmallInteger)

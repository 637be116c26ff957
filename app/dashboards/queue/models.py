"""Tables of officers' work: what they did with a case, the filters they keep, and what was put before supervisors."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS, Personal

DEEDS = ("note", "assigned", "released", "asked", "refresh_asked", "soon_late", "late")
STAGES = ("soon_late", "late")
# Vault context.
WORDS_CONTEXT = "case_work.words"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class CaseWork(Base):
    """One thing an officer did with a case; its citizen sees it in a copy of their data alone. `officer` is "" where
    the clock did it; `target`: to whom it was given. Their own words are encrypted."""

    __tablename__ = "case_work"
    personal = Personal(owner="case_id", withheld=["officer", "target"], hold="archive")
    __table_args__ = (CheckConstraint(_one_of("kind", DEEDS), name="kind"), Index(None, "case_id", "id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    officer: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    words_enc: Mapped[bytes | None] = mapped_column(LargeBinary)


class OfficerView(Base):
    """Filters an officer keeps under a name."""

    __tablename__ = "officer_views"
    personal = NOBODYS
    __table_args__ = (UniqueConstraint("officer_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    name: Mapped[str]
    filters: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Escalation(Base):
    """A case's clock came near its end, or past it: once each, until a supervisor has seen it."""

    __tablename__ = "case_escalations"
    personal = Personal(owner="case_id", withheld=["seen_by"], hold="archive")
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "stage"),
        CheckConstraint(_one_of("stage", STAGES), name="stage"),
        Index("ix_case_escalations_unseen", "agency", "at", "case_id", postgresql_where=text("seen_at IS NULL")),
    )

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    stage: Mapped[str]
    agency: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[str] = mapped_column(server_default="")

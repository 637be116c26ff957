"""The table of consents, a row of which is never changed but by its end, and the words that were agreed to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS, Personal


class Consent(Base):
    """One yes. `case_id`: given with a case's form, for that case; None: given for as long as it is not withdrawn.
    `session_id`: the login through which it was given."""

    __tablename__ = "consents"
    personal = Personal(owner="citizen_id", hold="consent_proof")
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
    session_id: Mapped[UUID | None]
    given_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    withdrawn_at: Mapped[datetime | None]


class ConsentWording(Base):
    """The exact words of one version, kept for ever: what was agreed to can be shown after they changed."""

    __tablename__ = "consent_wordings"
    personal = NOBODYS

    purpose: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    words_id: Mapped[str]
    words_en: Mapped[str]
    digest: Mapped[bytes]
    used_from: Mapped[datetime] = mapped_column(server_default=text("now()"))

"""The table of delegations: who may act for whom, for which services, until when."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import Personal

Relation = Literal["elder", "other", "child", "counter"]
State = Literal["asked", "active", "refused", "ended"]
# Vault context: a person who has no account, until an officer has confirmed who they are.
PERSON = "delegations.person"
# Of both sides, and of whom it is asked of; the other's id and the index are of use to us alone.
_OF_EITHER = "subject_id = ANY($1::uuid[]) OR delegate_id = ANY($1::uuid[]) OR subject_index = ANY($2::bytea[])"


class Delegation(Base):
    """One. Whom it is asked of is known by the keyed index of their NIK alone (`subject_index`) until it is granted:
    asking looks nobody up, and so tells nothing. The delegate is a citizen, or at a counter an officer."""

    personal = Personal(where=_OF_EITHER, withheld=["subject_id", "subject_index", "delegate_id", "person_enc"])
    __tablename__ = "delegations"
    __table_args__ = (
        CheckConstraint("relation in ('elder', 'other', 'child', 'counter')", name="relation"),
        CheckConstraint("state in ('asked', 'active', 'refused', 'ended')", name="state"),
        CheckConstraint("(delegate_id is null) <> (officer_id is null)", name="one_delegate"),
        CheckConstraint(
            "state <> 'active' or (subject_id is not null and granted_at is not null and expires_at is not null)",
            name="granted",
        ),
        CheckConstraint("cardinality(services) > 0", name="services"),
        Index("ix_delegations_delegate_id_id", "delegate_id", "id"),
        Index("ix_delegations_subject_id_id", "subject_id", "id"),
        Index("ix_delegations_officer_id_id", "officer_id", "id"),
        Index("ix_delegations_asked", "subject_index", postgresql_where=text("state = 'asked'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    relation: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="asked")
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    subject_index: Mapped[bytes]
    person_enc: Mapped[bytes | None]
    delegate_id: Mapped[UUID | None] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    agency: Mapped[str] = mapped_column(server_default="")
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    days: Mapped[int] = mapped_column(SmallInteger)
    asked_until: Mapped[datetime]
    granted_at: Mapped[datetime | None]
    granted_by: Mapped[str] = mapped_column(server_default="")
    expires_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

"""What citizens ask for under law 27/2022, what became of it, and the copies that are waiting to be fetched."""

from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import Personal

Kind = Literal["copy", "correction", "deletion", "restriction"]
# `waiting`: for something outside of us, which `places` names. What is open is one of the first two.
State = Literal["received", "waiting", "done", "refused", "cancelled"]
OPEN = ("received", "waiting")

# Vault contexts.
WANTED = "data_requests.wanted"
REASON = "data_requests.reason"


class DataRequest(Base):
    """One request. `due_at`: until when the law wants it answered; `run_at`: when it is carried out.

    `wanted_enc`: what is to be corrected. `places`: who has the old data still, since when, or how it ended; of a
    deletion, what stays, why and until when. `refusal_*`: one city admin proposes to refuse, another decides.
    """

    __tablename__ = "data_requests"
    personal = Personal(owner="citizen_id", hold="accountability", erased=["wanted_enc", "reason_enc"])
    __table_args__ = (
        CheckConstraint(f"kind in {get_args(Kind)}", name="kind"),
        CheckConstraint(f"state in {get_args(State)}", name="state"),
        CheckConstraint("refused_by is null or refused_by <> refusal_proposed_by", name="four_eyes"),
        CheckConstraint(f"(ended_at is null) = (state in {OPEN})", name="ended"),
        Index("ix_data_requests_citizen_id_id", "citizen_id", "id"),
        Index("ix_data_requests_open", "due_at", postgresql_where=text("ended_at is null")),
        # One of a kind at a time: a second deletion or copy under way would say nothing the first does not.
        Index(
            "uq_data_requests_open",
            "citizen_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at is null and kind <> 'correction'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="received")
    field: Mapped[str] = mapped_column(server_default="")
    wanted_enc: Mapped[bytes | None]
    code: Mapped[str] = mapped_column(server_default="")
    reason_enc: Mapped[bytes | None]
    places: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    run_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    due_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    scrubbed_at: Mapped[datetime | None]
    refusal_proposed_by: Mapped[UUID | None]
    refused_by: Mapped[UUID | None]


class DataCopy(Base):
    """One part of a copy: a ZIP in the file store under `id`, encrypted like every file there."""

    __tablename__ = "data_copies"
    personal = Personal(owner="request_id", has_file=True)
    __table_args__ = (Index(None, "request_id", "part", unique=True), Index(None, "expires_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("data_requests.id", ondelete="CASCADE"))
    part: Mapped[int] = mapped_column(SmallInteger)
    size: Mapped[int]
    sha256: Mapped[bytes]
    expires_at: Mapped[datetime]

"""Messages to citizens, and what goes out to their phones because of them."""

from datetime import datetime, time
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import Personal

# Vault contexts.
NOTE_PHONE = "outgoing_messages.phone"
NOTE_TEXT = "outgoing_messages.text"

OutgoingState = Literal["queued", "sending", "sent", "carried", "failed", "unknown", "discarded"]


class Message(Base):
    """One message in a citizen's inbox: a text's key and what fills it, so that it is read in the reader's language."""

    __tablename__ = "messages"
    personal = Personal(owner="citizen_id")
    __table_args__ = (
        Index("ix_messages_citizen_id_id", "citizen_id", "id"),
        Index("ix_messages_unread", "citizen_id", postgresql_where=text("read_at is null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    key: Mapped[str]
    params: Mapped[dict[str, Any]]
    case_id: Mapped[UUID | None]
    read_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OutgoingMessage(Base):
    """One text on its way to a phone: a message of the inbox, or a note (a one-time code) that stands in no inbox.

    A note's phone and text are kept encrypted until they were handed over, then erased. `discarded`: a note to nobody,
    or a notice that its citizen does not want on a phone. `carried`: another row, a digest, tells of it as well; that
    one `carries` the ids of these messages.
    `reached`: what became of one that was sent, as the gateway says when it is asked.
    """

    __tablename__ = "outgoing_messages"
    personal = Personal(owner="message_id")
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'sending', 'sent', 'carried', 'failed', 'unknown', 'discarded')", name="state"
        ),
        CheckConstraint("message_id is null or (phone_enc is null and text_enc is null)", name="message_or_note"),
        CheckConstraint("state not in ('sent', 'failed', 'unknown') or text_enc is null", name="erased"),
        CheckConstraint("reached in ('', 'waiting', 'sent', 'failed')", name="reached"),
        Index("ix_outgoing_messages_created_at", "created_at"),
        Index("ix_outgoing_messages_gateway_id", "gateway_id", postgresql_where=text("gateway_id <> ''")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    phone_enc: Mapped[bytes | None]
    text_enc: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    channel: Mapped[str] = mapped_column(server_default="")
    gateway_id: Mapped[str] = mapped_column(server_default="")
    failure: Mapped[str] = mapped_column(server_default="")
    reached: Mapped[str] = mapped_column(server_default="")
    reached_at: Mapped[datetime | None]
    carries: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Preferences(Base):
    """How a citizen wants to hear of their cases; who never said has no row. Times are of the city's day."""

    __tablename__ = "preferences"
    personal = Personal(owner="citizen_id")
    __table_args__ = (CheckConstraint("(quiet_from is null) = (quiet_until is null)", name="quiet"),)

    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), primary_key=True)
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    digest_at: Mapped[time | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

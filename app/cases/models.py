"""Tables of cases, their timeline, what is handed to agencies, attachments and idempotency keys."""

from datetime import date, datetime
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.asking import DELEGATION_ASKING
from app.cases.port import Status
from app.database import Base
from app.personal import Personal

NUMBERS = Sequence("case_numbers", metadata=Base.metadata)
DELIVERY_STATES = ("queued", "delivering", "delivered", "rejected", "needs_operator")
# `follow`: nothing to hand over, but asking after the case has come to an end that only a person gets past.
OPERATIONS = ("submit", "answer", "withdraw", "follow")
# Vault context.
EXCHANGES_CONTEXT = "delivery_attempts.exchanges"
PAYLOAD_CONTEXT = "deliveries.payload"
ACTION_REASON_CONTEXT = "delivery_actions.reason"
ATTEMPT_OUTCOMES = ("delivered", "rejected", "needs_operator", "unavailable", "unknown", "failed", "waited")
# `propose_`: one officer's word, which counts once another says the same.
DELIVERY_ACTIONS = ("retry", "send_again", "propose_delivered", "propose_rejected", "delivered", "rejected")


_HANDED = "submitted_at IS NOT NULL"
_OPEN = f"{_HANDED} AND status IN ('submitted', 'in_review', 'needs_citizen')"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _listed(name: str, *columns: Any, where: str = _HANDED) -> Index:
    return Index(name, *columns, postgresql_where=text(where))


class Case(Base):
    """One citizen's dealing with one service. `revision` is its ETag; `delivery_*` is the receipt of handing it in;
    `assignee_id`: the officer it is given to."""

    __tablename__ = "cases"
    personal = Personal(owner="citizen_id", hold="archive")
    __table_args__ = (
        CheckConstraint(_one_of("status", get_args(Status)), name="status"),
        CheckConstraint(_one_of("delivery_state", DELIVERY_STATES), name="delivery_state"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        UniqueConstraint("number"),
        # One registration at the agency belongs to one case: a second link is refused here, whatever the code thinks.
        Index(
            "uq_cases_agency_reference",
            "backend",
            "agency_reference",
            unique=True,
            postgresql_where=text("agency_reference IS NOT NULL"),
        ),
        Index("ix_cases_citizen_id_id", "citizen_id", text("id DESC")),
        Index(
            "ix_cases_due_refresh",
            "backend",
            "next_refresh_at",
            postgresql_where=text("next_refresh_at IS NOT NULL"),
        ),
        # Officers' lists: each page is read from one of these, in order.
        _listed("ix_cases_handed", "agency", text("id DESC")),
        _listed("ix_cases_handed_status", "agency", "status", text("id DESC")),
        _listed("ix_cases_handed_service", "service", text("id DESC")),
        _listed("ix_cases_open_due", "agency", "due_on", "id", where=_OPEN),
        _listed("ix_cases_open_unassigned", "agency", text("id DESC"), where=f"assignee_id IS NULL AND {_OPEN}"),
        _listed("ix_cases_open_assigned", "assignee_id", text("id DESC"), where=f"assignee_id IS NOT NULL AND {_OPEN}"),
        _listed("ix_cases_assignee_id_id", "assignee_id", text("id DESC"), where="assignee_id IS NOT NULL"),
        _listed(
            "ix_cases_undelivered",
            "agency",
            "delivery_state",
            text("id DESC"),
            where=f"{_HANDED} AND delivery_state <> 'delivered'",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id"))
    module: Mapped[str]
    service: Mapped[str]
    agency: Mapped[str]
    backend: Mapped[str]
    status: Mapped[str]
    form_version: Mapped[int] = mapped_column(SmallInteger)
    form_enc: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int] = mapped_column(server_default="1")
    last_event: Mapped[int] = mapped_column(server_default="1")
    delivery_state: Mapped[str | None]
    delivery_reason: Mapped[str | None]
    agency_reference: Mapped[str | None]
    question: Mapped[str | None]
    product: Mapped[dict[str, Any] | None]
    due_on: Mapped[date | None]
    rating: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    submitted_at: Mapped[datetime | None]
    next_refresh_at: Mapped[datetime | None]
    refreshed_at: Mapped[datetime | None]
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id", ondelete="SET NULL"))


class CaseEvent(Base):
    """One line of a case's timeline. `seq` counts from 1 without gaps; `step_key` is the agency's step, told once."""

    __tablename__ = "case_events"
    personal = Personal(owner="case_id", hold="archive")
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "seq"),
        Index(
            "uq_case_events_step_key",
            "case_id",
            "step_key",
            unique=True,
            postgresql_where=text("step_key IS NOT NULL"),
        ),
        # By blocks, for what came lately: it costs a write nearly nothing.
        Index("ix_case_events_at", "at", postgresql_using="brin"),
    )

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    kind: Mapped[str]
    status: Mapped[str]
    step_key: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Delivery(Base):
    """Handing one thing of a case (the case itself, an answer, a withdrawal) to its backend.

    `lane` is what the backend could mistake for this delivery: at most one delivery of a lane is under way or unknown
    at a time, so that after a lost answer the one new registration there can only be ours. `fence` rises with every
    claim: a worker that was paused past its lease holds an old one, and its write finds no row. `sent_at`: when it may
    last have left for the agency.
    """

    __tablename__ = "deliveries"
    personal = Personal(owner="case_id", withheld=["lane"], hold="archive")
    __table_args__ = (
        CheckConstraint(_one_of("state", DELIVERY_STATES), name="state"),
        CheckConstraint(_one_of("operation", OPERATIONS), name="operation"),
        Index("uq_deliveries_lane", "lane", unique=True, postgresql_where=text("state = 'delivering'")),
        Index("ix_deliveries_open", "backend", "id", postgresql_where=text("state IN ('queued', 'delivering')")),
        Index(
            "ix_deliveries_standing",
            "lane",
            postgresql_where=text("operation = 'submit' AND state IN ('delivered', 'needs_operator')"),
        ),
        Index(
            "ix_deliveries_given",
            "backend",
            "finished_at",
            postgresql_where=text("operation = 'submit' AND state = 'delivered'"),
        ),
        Index("ix_deliveries_operator", "lane", postgresql_where=text("state = 'needs_operator'")),
        Index(
            "ix_deliveries_waiting",
            "backend",
            "id",
            postgresql_where=text("state IN ('queued', 'delivering', 'needs_operator')"),
        ),
        Index(
            "uq_deliveries_follow",
            "case_id",
            unique=True,
            postgresql_where=text("operation = 'follow' AND state = 'needs_operator'"),
        ),
        Index(None, "case_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    backend: Mapped[str]
    operation: Mapped[str]
    lane: Mapped[bytes] = mapped_column(LargeBinary)
    payload_enc: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(server_default="queued")
    unknown: Mapped[bool] = mapped_column(server_default=text("false"))
    attempts: Mapped[int] = mapped_column(server_default="0")
    fence: Mapped[int] = mapped_column(server_default="0")
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    first_tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    reason: Mapped[str | None]
    detail: Mapped[str | None]


class DeliveryAttempt(Base):
    """One try of a delivery, written before the backend is asked and completed after it.

    `number` is the fence it was made under; without an outcome, where there is a newer one, its worker died or came too
    late. `unknown`: an earlier try's outcome was not known, so the backend was asked before anything was sent again.
    """

    __tablename__ = "delivery_attempts"
    personal = Personal(owner="delivery_id", withheld=["exchanges_enc"], hold="archive")
    __table_args__ = (
        PrimaryKeyConstraint("delivery_id", "number"),
        CheckConstraint(_one_of("outcome", ATTEMPT_OUTCOMES), name="outcome"),
        Index("ix_delivery_attempts_exchanges", "started_at", postgresql_where=text("exchanges_enc IS NOT NULL")),
    )

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"))
    number: Mapped[int]
    operation: Mapped[str]
    backend: Mapped[str]
    unknown: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    calls: Mapped[int] = mapped_column(server_default="0")
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    exchanges_enc: Mapped[bytes | None] = mapped_column(LargeBinary)


class DeliveryAction(Base):
    """What an officer did about a delivery, and why. `reason` is in their own words, so it is encrypted."""

    __tablename__ = "delivery_actions"
    personal = Personal(owner="delivery_id", withheld=["officer"], hold="archive")
    __table_args__ = (CheckConstraint(_one_of("action", DELIVERY_ACTIONS), name="action"), Index(None, "delivery_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    officer: Mapped[str]
    action: Mapped[str]
    reference: Mapped[str | None]
    reason_enc: Mapped[bytes] = mapped_column(LargeBinary)


class Attachment(Base):
    """A file a citizen sent. Its bytes lie encrypted in the file store under `id`; `case_id`: which case took it.
    `delegation_id`: sent by who acts for the citizen, as the asker of the statement says."""

    __tablename__ = "attachments"
    personal = Personal(owner="citizen_id", hold="archive", has_file=True)
    __table_args__ = (
        Index(None, "citizen_id", "id"),
        Index(None, "case_id"),
        Index("ix_attachments_loose", "created_at", postgresql_where=text("case_id IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    name_enc: Mapped[bytes] = mapped_column(LargeBinary)
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    delegation_id: Mapped[UUID | None] = mapped_column(server_default=text(DELEGATION_ASKING))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class IdempotencyKey(Base):
    """A key a citizen's client gave, with the first answer. Kept at least 7 days."""

    __tablename__ = "idempotency_keys"
    personal = Personal(owner="citizen_id", withheld=["fingerprint"])
    __table_args__ = (PrimaryKeyConstraint("citizen_id", "key"), Index(None, "created_at"))

    citizen_id: Mapped[UUID]
    key: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    body_enc: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

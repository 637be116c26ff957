"""What is counted: each case's facts, and cells that sum them up. All of it can be counted anew from the events."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS, OF_CASES, Personal


class FigureCase(Base):
    """What a case's events up to `last_event` said when they were counted: what its share of the cells is made of.

    No foreign key: what a case that is gone has added must be found to be taken out again.
    """

    __tablename__ = "figure_cases"
    personal = Personal(where=OF_CASES, derived=True)

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_event: Mapped[int]
    agency: Mapped[str]
    service: Mapped[str]
    handed_in_on: Mapped[date | None]
    due_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]
    rated_on: Mapped[date | None]
    score: Mapped[int | None] = mapped_column(SmallInteger)
    surveyed_on: Mapped[date | None]
    answers: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))


class FigureCell(Base):
    """How many cases of a service have `value` of a `measure` in the week or month (or, of what is open, with the day)
    that begins on `starts_on`. Sums stand beside: with `service` "" the agency's, with `agency` "" too the city's."""

    __tablename__ = "figure_cells"
    personal = NOBODYS
    __table_args__ = (
        PrimaryKeyConstraint("grain", "starts_on", "agency", "service", "measure", "value"),
        CheckConstraint("grain IN ('day', 'week', 'month')", name="grain"),
        Index("ix_figure_cells_agency", "agency", "grain", "starts_on"),
    )

    grain: Mapped[str]
    starts_on: Mapped[date]
    agency: Mapped[str]
    service: Mapped[str]
    measure: Mapped[str]
    value: Mapped[str]
    count: Mapped[int] = mapped_column(server_default="0")


class FigureState(Base):
    """How far counting is. `as_of`: whatever was committed before is in; `compared_at`: when every case was compared
    with its events; `version` and `zone`: by which rules, in whose days."""

    __tablename__ = "figure_state"
    personal = NOBODYS
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, server_default=text("1"))
    version: Mapped[int]
    zone: Mapped[str]
    as_of: Mapped[datetime]
    compared_at: Mapped[datetime]

"""Figures: facts of cases and the cells that sum them up; events can be found by their time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0020"
down_revision: str | Sequence[str] | None = "0019"

_ASKS = "current_setting('loket.asks', true)"
_OWN = f"{_ASKS} IN ('service', 'city', 'agency:' || agency)"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "figure_cases",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("last_event", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("handed_in_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("rated_on", sa.Date(), nullable=True),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("surveyed_on", sa.Date(), nullable=True),
        sa.Column("answers", postgresql.ARRAY(sa.SmallInteger()), nullable=True),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_figure_cases")),
    )
    op.create_table(
        "figure_cells",
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("grain IN ('day', 'week', 'month')", name=op.f("ck_figure_cells_grain")),
        sa.PrimaryKeyConstraint(
            "grain", "starts_on", "agency", "service", "measure", "value", name=op.f("pk_figure_cells")
        ),
    )
    op.create_index("ix_figure_cells_agency", "figure_cells", ["agency", "grain", "starts_on"])
    op.create_table(
        "figure_state",
        sa.Column("id", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_figure_state_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_state")),
    )
    # By blocks: it costs a write nearly nothing, and events come in the order of time.
    op.create_index("ix_case_events_at", "case_events", ["at"], postgresql_using="brin")
    # A case's facts are for counting alone; of sums an officer sees the agency's own.
    for table, seen in (("figure_cases", f"{_ASKS} = 'service'"), ("figure_cells", _OWN)):
        op.execute(f"CREATE POLICY asker ON {table} USING ({seen}) WITH CHECK ({seen})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
